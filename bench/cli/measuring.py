"""A sweep measured with its progress on standard error."""

import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from samplerbench.cli.events import Bar, Event, Line, State
from samplerbench.cli.progress import show
from samplerbench.errors import WriteError

if TYPE_CHECKING:
    from samplerbench.networks.loaded import LoadedNetwork
    from samplerbench.sampling.measure import CellProgress
    from samplerbench.store.place import Place
    from samplerbench.sweep.events import UnitsFinished
    from samplerbench.sweep.jobs import Job
    from samplerbench.sweep.session import Session

# How sources of weights are described; any other is the path of the user's own checkpoint.
DESCRIBED = {"shipped": "shipped weights {}", "random": "random weights", "exact": "closed form of {}"}


def measure_session(title: str, session: "Session", profile: bool = False) -> bool:
    """Measure a sweep, and profile its first cell that succeeds; returns whether it was interrupted."""
    try:
        return show(_events(title, session, profile))
    except WriteError as error:
        if error.rows:
            click.echo(f"Measured, but not written:\n{error.rows}", err=True)
        raise


@contextmanager
def terminable() -> Iterator[None]:
    """A block that SIGTERM, as job schedulers send it, interrupts as Ctrl-C does, so that the run is left in order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _events(title: str, session: "Session", profile: bool) -> Iterator[Event]:
    """The weights in use; then a bar for the sweep, one for the running cell, and a line for each finished cell."""
    from samplerbench.sweep.events import CellFinished, CellStarted, Note, UnitsFinished
    from samplerbench.sweep.profile import profile_cell

    if title:
        yield Line(f"{title}:")
    yield from map(Line, weights(session.prepared.networks.values()))
    yield from map(Line, session.prepared.notes)
    total, done = len(session.jobs), len(session.jobs) - len(session.pending)
    if not total:
        yield Line(f"Shard {session.prepared.sweep.shard} has no cells, since there are more shards than cells.")
    if done:
        yield Line(f"{done} of {total} cells are already measured in {session.store.folder}")
    for event in session.execute():
        match event:
            case Note(text):
                yield Line(text)
            case CellStarted(job, progress):
                yield _sweep_bar(done, total)  # not before the directory is found to be free
                yield _cell_bar(_name(job, session), progress)
            case UnitsFinished():
                yield _sweep_bar(done, total)
                yield _units_bar(event)
            case CellFinished(row, job):
                done += 1
                yield _outcome(_name(job, session), row, session.store.folder)
                if profile and row["status"] == "ok":
                    yield from map(Line, profile_cell(session, job))
                    profile = False
                yield _sweep_bar(done, total)


def _sweep_bar(done: int, total: int) -> Bar:
    return Bar("sweep", "sweep", "cells", State(done, total), logged=False)


def _cell_bar(name: str, progress: "CellProgress") -> Bar:
    return Bar("cell", name, "evaluations", live=lambda: State(progress.evaluations, progress.expected))


def _units_bar(event: "UnitsFinished") -> Bar:
    """Of one phase: time that is left is the bar's own estimate."""
    workers = f"{event.workers} worker{'s' * (event.workers > 1)}"
    return Bar(
        event.phase, event.phase, event.phase, State(event.done, event.total, f"{workers}, {event.per_second:.2g}/s")
    )


def _name(job: "Job", session: "Session") -> str:
    network = f"on {job.recipe}" if session.prepared.sweep.model else ""
    return ", ".join(filter(None, (str(job), network, job.sampler.grid)))


def _outcome(name: str, row: Mapping, folder: "Place") -> Line:
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
