"""The results of a run on the terminal: the table, as far as it fits, and what is to be said about it."""

from collections.abc import Iterator

import click
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from samplerbench.report import text
from samplerbench.report.table import WORSE, alignment, table
from samplerbench.store.results import Results

WITHOUT_TERMINAL = 160  # characters of a line
GAP = 2  # between columns
# What a narrow terminal can do without, first to last: it follows from other columns, or is printed below the table.
DISPENSABLE = ["teacher NFE", "training (it.)", "x floor", WORSE, "Pareto", "latency (s)", "status"]
ESSENTIAL = ["method", "grid", "guidance", "steps", "NFE"]


def print_results(results: Results) -> None:
    """Print the table, the columns that it lacks, what was not measured, the cautions and the verdicts."""
    shown = table(results)
    if shown.empty:
        click.echo(text.NOTHING)
        return
    console = Console()
    width = console.width if console.is_terminal else WITHOUT_TERMINAL
    brief = shown.replace({"status": {r":.*": ""}}, regex=True)
    fitting, dropped = fit(brief, width, shown.attrs["wide"])
    Console(width=width).print(_as_rich(fitting))
    if dropped:
        click.echo(f"Not shown: {', '.join(dropped)}.")
    for lines in (text.failures(shown), text.cautions(results), *_verdicts(results)):
        if lines:
            click.echo("\n" + "\n".join(line.replace("`", "") for line in lines))


def fit(shown: pd.DataFrame, width: int, wide: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """The table with as many columns as fit into `width` characters, and the headings of those it lacks.

    Columns are dropped whole, since a number that is cut short is a wrong one: first the `wide` ones, from the right,
    then the dispensable ones, then any, from the right.
    """
    others = [column for column in shown if column not in ESSENTIAL]
    order = [column for column in reversed(others) if column in wide]
    order += [column for column in DISPENSABLE if column in others and column not in order]
    order += [column for column in reversed(others) if column not in order]
    kept = list(shown)
    for column in order:
        if sum(_width(shown, each) + GAP for each in kept) - GAP <= width:
            break
        kept.remove(column)
    return shown[kept], [column for column in shown if column not in kept]


def _width(shown: pd.DataFrame, column: str) -> int:
    """The characters of the longest cell, or of the longest word of the heading, which may take several lines."""
    return max(map(len, [*column.split(), *shown[column]]))


def _as_rich(shown: pd.DataFrame) -> Table:
    printed = Table(box=None, pad_edge=False, padding=(0, GAP // 2))
    for column in shown:
        # Only a method with many options may wrap.
        heading = "\n".join(_lines(column, _width(shown, column)))
        printed.add_column(Text(heading), justify=alignment(column), vertical="bottom", no_wrap=column != "method")
    for row in shown.itertuples(index=False):
        printed.add_row(*map(Text, row))
    return printed


def _lines(heading: str, width: int) -> list[str]:
    """The words of a heading in lines of at most this width."""
    lines: list[str] = []
    for word in heading.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _verdicts(results: Results) -> Iterator[list[str]]:
    """The verdicts of each protocol, under its heading if there are several."""
    groups = results.groups
    for group in groups:
        yield [text.title(group)] * (len(groups) > 1) + text.verdicts(group)
