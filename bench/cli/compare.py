"""`bench compare`."""

from typing import TYPE_CHECKING

import click

from samplerbench.cli.run_path import RunPath
from samplerbench.errors import InputError

if TYPE_CHECKING:
    from samplerbench.store.place import Place


@click.command()
@click.argument("runs", nargs=-1, metavar="BASELINE CURRENT", type=RunPath())
@click.option("--against", metavar="GIT_REF", help="Instead: measure that commit and the working tree in turn, here.")
@click.option(
    "--run", "sweep", metavar="OPTIONS", help="With --against: what to run, as in '--methods ddim --steps 5'."
)
@click.option("--fail-on", multiple=True, metavar="FIELD:THRESHOLD", help="As in fid:2%; may be given several times.")
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json", "junit"]), default="text", show_default=True
)
@click.option("--strict", is_flag=True, help="Exit with 4 if a change is within the noise.")
@click.pass_context
def compare(
    context: click.Context, runs: "tuple[Place, ...]", against: str | None, sweep: str | None, fail_on: tuple[str, ...],
    form: str, strict: bool,
) -> None:  # fmt: skip
    """Report what got worse from BASELINE to CURRENT, each a run directory, also in a bucket, or a CSV.

    Evaluations and FLOPs must not rise; FID is compared by its paired differences per seed block, speed by the overhead
    ratios of the timed rounds; seconds only if there is a rule for them and the machine is the same. With --against,
    both commits run in turn on this machine, and speed is compared by their paired ratios. Exit codes: 0 nothing worse,
    1 a regression, 2 wrong input, 3 not comparable, 4 inconclusive with --strict.

    \b
    bench compare results/baseline results/runs/digits-1a2b3c4d --fail-on fid:5% --format markdown
    bench compare --against main --run '--methods ddim,flow --steps 5 --samples 250 --seeds 0-15'
    """
    _check(runs, against, sweep)
    # pandas takes half a second to import.
    from samplerbench.regression.commits import compare_commits
    from samplerbench.regression.compare import compare_runs
    from samplerbench.regression.rule import merge_rules
    from samplerbench.regression.verdicts import exit_code, render

    if against is None:
        baseline, current = runs
        verdicts = compare_runs(baseline, current, fail_on)
    else:
        verdicts = compare_commits(against, sweep, merge_rules(fail_on))
    click.echo(render(verdicts, form))
    context.exit(exit_code(verdicts, strict))


def _check(runs: "tuple[Place, ...]", against: str | None, sweep: str | None) -> None:
    if against is None and len(runs) != 2:
        raise InputError("Give two runs, BASELINE and CURRENT, or --against GIT_REF.")
    if against is not None and runs:
        raise InputError("--against measures both sides itself: leave out BASELINE and CURRENT.")
    if against is None and sweep is not None:
        raise InputError("--run says what --against measures: give --against GIT_REF, or leave it out.")
