"""`bench run`."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from samplerbench.cli.group import INTERRUPTED
from samplerbench.cli.measuring import measure_session, terminable
from samplerbench.cli.options import options_of
from samplerbench.errors import InputError
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.suite import read_suite

if TYPE_CHECKING:
    from samplerbench.store.results import Results

# torch takes seconds to import: only when the command runs.


@click.command()
@click.argument("suite", required=False)
@click.option("--dry-run", is_flag=True, help="Print the cells, their evaluations and an estimate of the time.")
@options_of(Sweep)
@click.pass_context
def run(context: click.Context, options: Sweep, suite: str | None, dry_run: bool) -> None:
    """Sweep methods over step counts; write results.csv and report.md as cells finish.

    SUITE is a .toml file with these options, or one of `bench list suites`; options given here override its own.

    The same command resumes where it was stopped. Exit codes: 0 all cells measured, 1 a cell failed, 2 wrong input.

    \b
    bench run --methods ddim,flow --steps 10,50
    bench run --methods ddim,flow,pf_ode[solver=heun] --nfe 10,20 --seeds 0-4
    bench run --methods flow --steps 10 --guidance 1,2,4 --metrics fid,class_accuracy
    bench run --preset cifar10 --no-quality --batch-size 8 --steps 5
    bench run few-step --samples 500 --dry-run
    bench run --methods all --dataset mixture --output results/array --shard 3/16
    """
    from samplerbench.sweep.request import Request

    request = Request(options, read_suite(suite) if suite else None, _given(context))
    if dry_run:
        from samplerbench.cli.plan import print_plans

        print_plans(request)
        return
    folders: list[Path] = []
    interrupted, cells = False, 0
    with terminable():
        for title, session in request.sessions():
            folders.append(session.store.folder)
            cells += len(session.jobs)
            interrupted = measure_session(title, session)
            if interrupted:
                break
    if not cells:  # a shard without any
        return
    folder = request.report or folders[0]
    failed = _report(folders, request.report)
    if interrupted:
        where = folder.parent if request.report else folder
        click.echo(f"Interrupted: the cells above are kept in {where}; the same command continues.", err=True)
        context.exit(INTERRUPTED)
    context.exit(int(failed))


def _given(context: click.Context) -> set[str]:
    """The options of the sweep that the command line gives."""
    names = (field.name for field in fields(Sweep))
    return {name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}


def _report(folders: list[Path], merged: Path | None) -> bool:
    """Print and write the report, of several sweeps into `merged`; returns whether a cell failed."""
    from samplerbench.cli.results import print_results
    from samplerbench.store import merge
    from samplerbench.store.results import load

    results = merge.merge(folders, merged, mixed=True) if merged else load(folders[0])
    print_results(results)
    if merged:
        merge.write(results, folders, mixed=len(results.groups) > 1)
    _write_report(results)
    return bool((results.rows["status"] == "failed").any())


def _write_report(results: "Results") -> None:
    from samplerbench.report.write import write_results

    folder = results.folder
    try:
        written = write_results(results)
    except Exception as error:  # also of a plug-in's columns: nothing that was measured is lost
        cause = error.__cause__ or error
        reason = cause.strerror if isinstance(cause, OSError) else f"{type(cause).__name__}: {cause}"
        raise InputError(
            f"The report could not be written ({reason}), but all rows are in {folder / 'results.csv'}: "
            f"`bench report {folder}` writes it later."
        ) from error
    click.echo(f"\nReport: {written}, {written.with_suffix('.html')}")
