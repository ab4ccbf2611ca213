"""How far a run is, read from its directory while another process may be writing there."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from samplerbench.errors import InputError
from samplerbench.store.columns import empty_frame
from samplerbench.store.lock import LOCK, holder
from samplerbench.store.sessions import read_facts
from samplerbench.store.stored_rows import read_results
from samplerbench.store.writer import Writer

RUNNING, UNSURE, KILLED, STOPPED, FINISHED = "running", "running?", "killed", "stopped", "finished"
DEPTH = 2  # folders below the given one: SUITE/SWEEP/shard-1-of-3


@dataclass(frozen=True)
class Status:
    """The cells of the last session of a run directory.

    state: running; running?, with a writer on another machine, which cannot be checked; killed, with a writer that is
    gone; stopped, with cells that are pending; finished. pending: None for runs of schema 1, which did not record it.
    per_hour: cells measured an hour. left: seconds until the last one, by the steps of the cells. Both are None until
    the session has written a row. last: seconds since the last row.
    """

    folder: Path
    state: str
    done: int
    failed: int
    skipped: int
    pending: int | None
    per_hour: float | None
    left: float | None
    last: float | None
    writer: Writer | None

    @property
    def running(self) -> bool:
        """Whether a process writes there, as far as can be seen."""
        return self.state in (RUNNING, UNSURE)


def runs_in(folder: Path) -> list[Path]:
    """The folder itself if it is a run directory, or those below. Raises InputError if there are none."""
    if _is_run(folder):
        return [folder]
    found = sorted(filter(_is_single_run, _below(folder, DEPTH)), key=_in_order)
    if not found:
        raise InputError(f"{str(folder)!r} is no run directory and holds none: give the --output of a `bench run`.")
    return found


def read_status(folder: Path) -> Status:
    """How far the run in a folder is. Raises InputError for damaged files and merged reports."""
    facts = read_facts(folder) if (folder / "run.json").exists() else {}
    if "runs" in facts:
        raise InputError(f"{str(folder)!r} is a merged report: give the runs it was made from.")
    path, now = folder / "results.csv", time.time()
    rows = read_results(folder) if path.exists() else empty_frame()
    last = max(0.0, now - path.stat().st_mtime) if len(rows) else None
    return _status(folder, facts, rows, last, now)


def _status(folder: Path, facts: Mapping, rows: pd.DataFrame, last: float | None, now: float) -> Status:
    planned, started = facts.get("planned"), str(facts.get("utc", ""))
    fresh = rows[rows["utc"] >= started]
    if planned is not None:
        # Those that failed or were skipped in an earlier session are tried again.
        counted = rows["cell"].isin(planned) & ((rows["status"] == "ok") | rows.index.isin(fresh.index))
        rows, fresh = rows[counted], fresh[fresh["cell"].isin(planned)]
    counts = rows["status"].value_counts()
    open_cells = None if planned is None else planned.keys() - set(rows["cell"])
    writer = holder(folder / LOCK)
    state = _state(writer, open_cells)
    per_hour, left = None, None
    if state in (RUNNING, UNSURE) and planned and last is not None and len(fresh):
        per_hour, left = _pace(planned, fresh, open_cells or set(), now - _seconds(started), last)
    done, failed, skipped = (int(counts.get(status, 0)) for status in ("ok", "failed", "skipped"))
    pending = None if open_cells is None else len(open_cells)
    return Status(folder, state, done, failed, skipped, pending, per_hour, left, last, writer)


def _state(writer: Writer | None, pending: set[str] | None) -> str:
    if writer is None:
        return STOPPED if pending else FINISHED
    return {False: RUNNING, None: UNSURE, True: KILLED}[writer.gone()]


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


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("run.json", "results.csv", LOCK))


def _is_single_run(folder: Path) -> bool:
    return _is_run(folder) and not ((folder / "run.json").is_file() and "runs" in read_facts(folder))


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """The folders below one; not those inside a run, which may hold many images."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            yield path
            if depth > 1 and not _is_run(path):
                yield from _below(path, depth - 1)


def _in_order(path: Path) -> list[tuple[int, str]]:
    """A key that sorts shard-2 before shard-10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", str(path))]
