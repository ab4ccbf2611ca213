"""`bench run`."""

import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from samplerbench.cli.events import Bar, Event, Line, State
from samplerbench.cli.group import INTERRUPTED
from samplerbench.cli.options import options_of
from samplerbench.cli.progress import show
from samplerbench.errors import InputError, WriteError
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.suite import read_suite

if TYPE_CHECKING:
    from samplerbench.networks.loaded import LoadedNetwork
    from samplerbench.sampling.measure import CellProgress
    from samplerbench.store.results import Results
    from samplerbench.sweep.session import Session

# How sources of weights are described; any other is the path of the user's own checkpoint.
DESCRIBED = {"shipped": "shipped weights {}", "random": "random weights", "exact": "closed form of {}"}

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
    """
    from samplerbench.sweep.request import Request

    request = Request(options, read_suite(suite) if suite else None, _given(context))
    if dry_run:
        from samplerbench.cli.plan import print_plans

        print_plans(request)
        return
    folders: list[Path] = []
    interrupted = False
    with _terminable():
        for title, session in request.sessions():
            folders.append(session.store.folder)
            interrupted = _measure(title, session)
            if interrupted:
                break
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


def _measure(title: str, session: "Session") -> bool:
    """Measure a sweep; returns whether it was interrupted."""
    try:
        return show(_events(title, session))
    except WriteError as error:
        if error.rows:
            click.echo(f"Measured, but not written:\n{error.rows}", err=True)
        raise


@contextmanager
def _terminable() -> Iterator[None]:
    """A block that SIGTERM, as job schedulers send it, interrupts as Ctrl-C does, so that the run is left in order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


def _events(title: str, session: "Session") -> Iterator[Event]:
    """The weights in use; then a bar for the sweep, one for the running cell, and a line for each finished cell."""
    from samplerbench.sweep.session import CellFinished, CellStarted, Note

    if title:
        yield Line(f"{title}:")
    yield from map(Line, weights(session.prepared.networks.values()))
    yield from map(Line, session.prepared.scorer.notes)
    total, done, name = len(session.jobs), len(session.jobs) - len(session.pending), ""
    if done:
        yield Line(f"{done} of {total} cells are already measured in {session.store.folder}")
    for event in session.execute():
        match event:
            case Note(text):
                yield Line(text)
            case CellStarted(job, progress):
                network = f"on {job.recipe}" if session.prepared.sweep.model else ""
                name = ", ".join(filter(None, (str(job), network, job.sampler.grid)))
                yield _sweep_bar(done, total)  # not before the directory is found to be free
                yield _cell_bar(name, progress)
            case CellFinished(row):
                done += 1
                yield _outcome(name, row, session.store.folder)
                yield _sweep_bar(done, total)


def _sweep_bar(done: int, total: int) -> Bar:
    return Bar("sweep", "sweep", "cells", State(done, total), logged=False)


def _cell_bar(name: str, progress: "CellProgress") -> Bar:
    return Bar("cell", name, "evaluations", live=lambda: State(progress.evaluations, progress.expected))


def _outcome(name: str, row: Mapping, folder: Path) -> Line:
    if row["status"] == "ok":
        return Line(f"{name} done", log=True)
    more = f" ({folder}/tracebacks/{row['cell']}.txt)" if row["status"] == "failed" else ""
    return Line(f"{name} {row['status']}: {row['error']}{more}", failed=True)


def weights(networks: Iterable["LoadedNetwork"]) -> list[str]:
    """Which weights each network has, and those that guide or teach it: a line each."""
    sources = {name: text for network in networks for name, text in network.sources.items()}
    return [f"{name}: {_described(name, text)}" for name, text in sources.items()]


def _described(name: str, text: str) -> str:
    source, _, digest = text.rpartition(" ")
    if source in DESCRIBED:
        return DESCRIBED[source].format(digest)
    return f"your own weights {digest}" if source == name else f"your own {text}"
