"""`bench status`."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from samplerbench.cli.lines import NONE, aligned, duration
from samplerbench.cli.run_path import RunPath

if TYPE_CHECKING:
    from samplerbench.store.place import Place
    from samplerbench.store.status import Status

HEADINGS = ["state", "done", "failed", "skipped", "pending", "cells/h", "left", "last row", "writer", "run"]
NUMBERS = range(1, 6)  # columns that are aligned on the right

# pandas takes half a second to import: only when the command runs.


@click.command()
@click.argument("runs", metavar="DIR...", nargs=-1, required=True, type=RunPath())
def status(runs: "tuple[Place, ...]") -> None:
    """Print how far runs are, also while they are measured, on this machine or another one.

    DIR is a run directory or a folder of some, such as the --output of the shards of a sweep. States: running, running?
    (by a process on another machine, which cannot be checked from here), killed, stopped (the same command continues),
    finished.

    \b
    bench status results/runs/digits-1a2b3c4d
    watch -n 10 bench status results/array
    """
    from samplerbench.store.status import read_status, runs_in
    from samplerbench.sweep.shard import absent

    folders = dict.fromkeys(folder for run in runs for folder in runs_in(run))
    found = [read_status(folder) for folder in folders]
    rows = [HEADINGS, *map(_row, found)]
    if len(found) > 1:
        rows.append(_total(found))
    click.echo("\n".join([*aligned(rows, NUMBERS), *absent(folders)]))


def _row(each: "Status") -> list[str]:
    return [
        each.state,
        *_counts([each]),
        NONE if each.per_hour is None else f"{each.per_hour:.1f}",
        _time(each.left),
        NONE if each.last is None else f"{_time(each.last)} ago",
        ", ".join(f"{writer.pid} on {writer.host}" for writer in each.writers) or NONE,
        str(each.folder),
    ]


def _total(found: Sequence["Status"]) -> list[str]:
    """All runs as one: the rates together, the longest time that is left, the latest row."""
    running = [each for each in found if each.running]
    rates = [each.per_hour for each in running if each.per_hour is not None]
    left = max((each.left for each in running if each.left is not None), default=None)
    last = min((each.last for each in found if each.last is not None), default=None)
    return [
        "total",
        *_counts(found),
        f"{sum(rates):.1f}" if rates else NONE,
        _time(left),
        NONE if last is None else f"{_time(last)} ago",
        f"{len(running)} running",
        f"{len(found)} runs",
    ]


def _counts(found: Sequence["Status"]) -> Iterator[str]:
    """The cells done, failed, skipped and pending."""
    for name in ("done", "failed", "skipped"):
        yield str(sum(getattr(each, name) for each in found))
    pending = [each.pending for each in found if each.pending is not None]
    yield str(sum(pending)) if pending else NONE


def _time(seconds: float | None) -> str:
    return NONE if seconds is None else duration(round(seconds)).removeprefix("about ")
