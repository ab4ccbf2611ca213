"""The results of a run on the terminal: the table, as far as it fits, and what is to be said about it."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping

import click
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from samplerbench.report import text
from samplerbench.report.lead import led
from samplerbench.report.table import MARKED, WORSE, alignment, chosen, table
from samplerbench.report.verdicts import compared, verdicts
from samplerbench.store.results import Results

WITHOUT_TERMINAL = 160  # characters of a line
GAP = 2  # between columns
MOST = 200  # rows that are printed, unless columns are named
METHOD = 30  # characters of a method, which takes several lines rather than push columns out
# What a narrow terminal can do without, first to last: it follows from other columns, or is printed below the table.
DISPENSABLE = ["teacher NFE", "training (it.)", "x floor", WORSE, "Pareto", "latency (s)", MARKED, "status"]
ESSENTIAL = ["method", "grid", "guidance", "steps", "NFE"]


def print_results(results: Results, columns: str | None = None) -> None:
    """Print the table, what it lacks, what was not measured, the cautions and the verdicts.

    columns: headings to print instead of those that fit, of all rows. Raises InputError for an unknown one.
    """
    results = led(results)
    shown = table(results)
    if shown.empty:
        click.echo(text.NOTHING)
        return
    brief = shown.replace({"status": {r":.*": ""}}, regex=True)
    if columns:
        _print(chosen(brief, columns))
    else:
        kept = [*ESSENTIAL, *(name for group in results.groups for name in compared(group).values())]
        print_table(brief.head(MOST), kept, shown.attrs["wide"])
        if len(brief) > MOST:
            click.echo(f"The other {len(brief) - MOST:,} rows are in the report.")
    for lines in (text.failures(shown), text.cautions(results), *_verdicts(results)):
        if lines:
            click.echo("\n" + "\n".join(line.replace("`", "") for line in lines))


def print_table(shown: pd.DataFrame, essential: Container[str], wide: Container[str] = ()) -> None:
    """Print the columns that fit the terminal, and name the others. essential, wide: as for `fit`."""
    fitting, dropped = fit(shown, _terminal_width(), wide, essential)
    _print(fitting)
    if dropped:
        click.echo(f"Not shown: {', '.join(dropped)}.")


def _terminal_width() -> int:
    console = Console()
    return console.width if console.is_terminal else WITHOUT_TERMINAL


def _print(shown: pd.DataFrame) -> None:
    """All columns, also where the terminal is narrower than they are."""
    Console(width=max(_terminal_width(), _total(_widths(shown)))).print(_as_rich(shown))


def fit(
    shown: pd.DataFrame, width: int, wide: Container[str], essential: Container[str]
) -> tuple[pd.DataFrame, list[str]]:
    """The table with as many columns as fit into `width` characters, and the headings of those it lacks.

    Columns are dropped whole, since a number that is cut short is a wrong one: first the `wide` ones, from the right,
    then the dispensable ones, then any that is not essential, from the right. Long methods are folded into lines.
    """
    others = [column for column in shown if column not in essential]
    order = [column for column in reversed(others) if column in wide]
    order += [column for column in DISPENSABLE if column in others and column not in order]
    order += [column for column in reversed(others) if column not in order]
    widths = _widths(_folded(shown, METHOD))
    for column in order:
        if _total(widths) <= width:
            break
        del widths[column]
    room = widths["method"] + max(0, width - _total(widths))
    return _folded(shown[[*widths]], room), [column for column in shown if column not in widths]


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _widths(shown: pd.DataFrame) -> dict[str, int]:
    """The characters of each column: of its longest line, or of the longest word of its heading, as that is folded."""
    return {
        column: max(len(line) for cell in (*column.split(), *shown[column]) for line in cell.split("\n"))
        for column in shown
    }


def _folded(shown: pd.DataFrame, width: int) -> pd.DataFrame:
    """The table with methods in lines of at most this width, as far as their options allow."""
    options = (re.split("(?<=,)", method) for method in shown["method"])
    return shown.assign(method=["\n".join(_lines(parts, width, "")) for parts in options])


def _lines(parts: Iterable[str], width: int, between: str) -> list[str]:
    """Parts joined into lines of at most this width, if no part is longer."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(between) + len(part) <= width:
            lines[-1] += between + part
        else:
            lines.append(part)
    return lines


def _as_rich(shown: pd.DataFrame) -> Table:
    printed = Table(box=None, pad_edge=False, padding=(0, GAP // 2))
    for column, width in _widths(shown).items():
        heading = "\n".join(_lines(column.split(), width, " "))
        printed.add_column(Text(heading), justify=alignment(column), vertical="bottom")
    for row in shown.itertuples(index=False):
        printed.add_row(*map(Text, row))
    return printed


def _verdicts(results: Results) -> Iterator[list[str]]:
    """The verdicts of each protocol, under its heading if there are several."""
    groups = results.groups
    for group in groups:
        yield [text.title(group)] * (len(groups) > 1) + verdicts(group)
