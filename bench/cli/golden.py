"""`bench golden`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samplerbench.cli.group import INTERRUPTED
from samplerbench.cli.measuring import measure_session, terminable
from samplerbench.cli.options import options_of
from samplerbench.regression.golden.places import Places

if TYPE_CHECKING:
    from samplerbench.regression.golden.figure import Figure
    from samplerbench.regression.golden.verdict import Outcome

# torch takes seconds to import: only when the command runs.

ESSENTIAL = ["figure", "published", "ours", "verdict"]


@click.command()
@click.argument("names", metavar="[FIGURE...]", nargs=-1)
@click.option("--tier", type=int, metavar="N", help="Figures up to this tier: 0 needs no file, 1 CIFAR-10.")
@click.option("--dry-run", is_flag=True, help="Print the table, and run nothing.")
@options_of(Places)
@click.pass_context
def golden(context: click.Context, names: tuple[str, ...], tier: int | None, dry_run: bool, options: Places) -> None:
    """Measure published figures again: which are met, which are missed, and what could explain a miss.

    FIGURE...: names of the first column; by default all whose files are here. The same command resumes. Exit codes:
    0 none was missed, 1 one was, 2 wrong input, or a figure that was named or asked for by --tier lacks a file.

    \b
    bench golden                                          tier 0 is run; the others say what they need
    bench golden --tier 1 --checkpoints ~/checkpoints --data-root ~/data
    bench golden edm-heun --checkpoints ~/checkpoints --download
    """
    from samplerbench.regression.golden.figure import chosen, read_figures

    figures = chosen(read_figures(), names, tier)
    places = replace(options, checkpoints=options.checkpoints.expanduser(), data_root=options.data_root.expanduser())
    outcomes: list[Outcome] = []
    interrupted = _measure(figures, places, dry_run, outcomes)
    _print(outcomes)
    if not dry_run:
        _write(outcomes, places.output)
    if interrupted:
        context.exit(INTERRUPTED)
    lacking = any(outcome.missing for outcome in outcomes) and bool(names or tier is not None)
    context.exit(1 if any(outcome.missed for outcome in outcomes) else 2 if lacking else 0)


def _measure(figures: "list[Figure]", places: Places, dry_run: bool, outcomes: "list[Outcome]") -> bool:
    """Measure the figures whose files are here, and append what came of each; returns whether it was interrupted."""
    from samplerbench.regression.golden.run import measure_here, missing, outcome, session
    from samplerbench.regression.golden.verdict import Outcome

    with terminable():
        for figure in figures:
            lacking = missing(figure, places)
            if lacking or dry_run:
                outcomes.append(Outcome(figure, missing=lacking))
                continue
            if (found := measure_here(figure)) is None:
                opened = session(figure, places)
                if measure_session(figure.name, opened):
                    return True
                found = outcome(figure, opened)
            outcomes.append(found)
            click.echo(f"{figure.name}: {found.verdict}", err=True)
    return False


def _print(outcomes: "list[Outcome]") -> None:
    from samplerbench.cli.results import print_table
    from samplerbench.regression.golden.verdict import table

    if outcomes:
        print_table(table(outcomes), ESSENTIAL)
    for line in _remarks(outcomes):
        click.echo(line)


def _remarks(outcomes: "list[Outcome]") -> list[str]:
    """What explains the misses, and what is missing."""
    from samplerbench.regression.golden.verdict import explained, lacking

    return [*(line for outcome in outcomes for line in explained(outcome)), *lacking(outcomes)]


def _write(outcomes: "list[Outcome]", output: Path) -> None:
    from samplerbench.errors import writing
    from samplerbench.regression.golden.verdict import table
    from samplerbench.report.markdown import as_markdown

    shown = table(outcomes)
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
        shown.to_csv(output / "golden.csv", index=False)
        remarks = (f"    {line}" for line in _remarks(outcomes))
        text = "\n".join(["# Published figures, measured again", "", as_markdown(shown), "", *remarks])
        (output / "golden.md").write_text(text.rstrip() + "\n", encoding="utf-8")
