"""How far a run is, read from its directory while another process may be writing there."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from samplerbench.errors import InputError, reading
from samplerbench.store.columns import empty_frame
from samplerbench.store.lock import LOCK, STALE_S
from samplerbench.store.place import Place, modified, names
from samplerbench.store.rows_apart import RowsApart
from samplerbench.store.sessions import read_facts
from samplerbench.store.sharing import writers
from samplerbench.store.stored_rows import read_results
from samplerbench.store.writer import Writer

RUNNING, UNSURE, KILLED, STOPPED, FINISHED = "running", "running?", "killed", "stopped", "finished"
DEPTH = 2  # folders below the given one: SUITE/SWEEP/shard-1-of-3


@dataclass(frozen=True)
class Status:
    """The cells of the last session of a run directory.

    state: running; running?, with a writer on another machine that has not renewed its lock for a minute, by the clock
    of this one; killed, with a writer that is gone; stopped, with cells that are pending; finished. writers: several in
    a joined sweep, of which one that runs is enough. pending: None for runs of schema 1, which did not record it.
    per_hour: cells measured an hour. left: seconds until the last one, by the steps of the cells. Both are None until
    the session has written a row. last: seconds since the last row.
    """

    folder: Place
    state: str
    done: int
    failed: int
    skipped: int
    pending: int | None
    per_hour: float | None
    left: float | None
    last: float | None
    writers: Sequence[Writer]

    @property
    def running(self) -> bool:
        """Whether a process writes there, as far as can be seen."""
        return self.state in (RUNNING, UNSURE)


def runs_in(folder: Place) -> list[Place]:
    """The folder itself if it is a run directory, or those below. Raises InputError if there are none."""
    with reading(folder):
        if _is_run(folder):
            return [folder]
        found = sorted(filter(_is_single_run, _below(folder, DEPTH)), key=_in_order)
    if not found:
        raise InputError(f"{str(folder)!r} is no run directory and holds none: give the --output of a `bench run`.")
    return found


def read_status(folder: Place) -> Status:
    """How far the run in a folder is. Raises InputError for damaged files and merged reports."""
    with reading(folder):
        facts = read_facts(folder) if (folder / "run.json").exists() else {}
        if "runs" in facts:
            raise InputError(f"{str(folder)!r} is a merged report: give the runs it was made from.")
        now = time.time()
        rows = read_results(folder) if (folder / "results.csv").exists() else empty_frame()
        last = max(0.0, now - _written(folder, rows)) if len(rows) else None
        return _status(folder, facts, rows, last, now)


def _written(folder: Place, rows: pd.DataFrame) -> float:
    """When the last row was written: those that are files of their own have not changed results.csv."""
    return _seconds(max(rows["utc"])) if RowsApart(folder).cells() else modified(folder / "results.csv")


def _status(folder: Place, facts: Mapping, rows: pd.DataFrame, last: float | None, now: float) -> Status:
    planned, started = facts.get("planned"), str(facts.get("utc", ""))
    fresh = rows[rows["utc"] >= started]
    if planned is not None:
        # Those that failed or were skipped in an earlier session are tried again.
        counted = rows["cell"].isin(planned) & ((rows["status"] == "ok") | rows.index.isin(fresh.index))
        rows, fresh = rows[counted], fresh[fresh["cell"].isin(planned)]
    counts = rows["status"].value_counts()
    open_cells = None if planned is None else planned.keys() - set(rows["cell"])
    found = writers(folder)
    state = _state(found, open_cells, now)
    per_hour, left = None, None
    if state in (RUNNING, UNSURE) and planned and last is not None and len(fresh):
        per_hour, left = _pace(planned, fresh, open_cells or set(), now - _seconds(started), last)
    done, failed, skipped = (int(counts.get(status, 0)) for status in ("ok", "failed", "skipped"))
    pending = None if open_cells is None else len(open_cells)
    return Status(folder, state, done, failed, skipped, pending, per_hour, left, last, [*found.values()])


def _state(found: Mapping[Place, Writer], pending: set[str] | None, now: float) -> str:
    if not found:
        return STOPPED if pending else FINISHED
    states = {_state_of(lock, writer, now) for lock, writer in found.items()}
    return next(state for state in (RUNNING, UNSURE, KILLED) if state in states)


def _state_of(lock: Place, writer: Writer, now: float) -> str:
    """That of one writer. Locks elsewhere are not compared by the clock there, which takes writing a file."""
    gone = writer.gone()
    if gone is None and writer.beat_s:
        with suppress(FileNotFoundError):
            return RUNNING if now - modified(lock) < STALE_S else UNSURE
    return {False: RUNNING, None: UNSURE, True: KILLED}[gone]


def _pace(
    planned: Mapping[str, int], fresh: pd.DataFrame, pending: set[str], elapsed: float, last: float
) -> tuple[float | None, float | None]:
    """Cells an hour, and the seconds that are left: cells differ in their steps, by which it is."""
    spent = elapsed - last  # until the last row
    work = sum(planned[cell] for cell in set(fresh["cell"]))
    if spent <= 0:
        return None, None
    left = sum(planned[cell] for cell in pending) * spent / work - last if work else None
    return 3600 * len(fresh) / spent, None if left is None else max(0.0, left)


def _seconds(utc: str) -> float:
    try:
        return datetime.fromisoformat(utc).timestamp()
    except ValueError as error:
        raise InputError(f"The time {utc!r} in run.json is damaged: restore it.") from error


def _is_run(folder: Place) -> bool:
    return any((folder / name).is_file() for name in ("run.json", "results.csv", LOCK))


def _is_single_run(folder: Place) -> bool:
    return _is_run(folder) and not ((folder / "run.json").is_file() and "runs" in read_facts(folder))


def _below(folder: Place, depth: int) -> Iterator[Place]:
    """The folders below one; not those inside a run, which may hold many images."""
    for path in (folder / name for name in names(folder)):
        if path.is_dir():
            yield path
            if depth > 1 and not _is_run(path):
                yield from _below(path, depth - 1)


def _in_order(path: Place) -> list[tuple[int, str]]:
    """A key that sorts shard-2 before shard-10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", str(path))]
