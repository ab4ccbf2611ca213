"""The run directory: results.csv, to which every measured cell adds a row, and what the rows were made from."""

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samplerbench.errors import InputError, WriteError, writing
from samplerbench.store.atomic import append, continuing, replace
from samplerbench.store.columns import CELL_OF_RUN, NAMES, empty_frame, identity, to_csv, to_line, typed
from samplerbench.store.lock import LOCK, Lock
from samplerbench.store.raw import Arrays
from samplerbench.store.sessions import read_facts, sessions, with_seconds, with_session
from samplerbench.store.stored_rows import StoredRows, read_rows
from samplerbench.store.units import Units
from samplerbench.store.writer import Writer

# What a killed run leaves behind.
UNFINISHED = (
    "*.csv.partial",
    "*.json.partial",
    "raw/*.partial",
    "images/*.partial",
    "tracebacks/*.partial",
    "profile/*.partial",
    "units/*.partial",
)


class RunDirectory:
    """The rows of a run, in a directory that survives a kill at any moment and has one writer at a time.

    A row is appended to results.csv, which takes the same time however many there are; of two rows of one cell the
    later counts, and at the end only that is left. To write, use it as a context. notes: what there is to say about
    the state in which it was found. units: the finished blocks of cells without a row.
    """

    def __init__(self, folder: Path, metrics: Iterable[str] = ()):
        """Read what the directory holds, if it exists. metrics: columns of rows to come, beside the store's.

        Raises InputError if it is damaged or holds something else.
        """
        self.folder, self.path = folder, folder / "results.csv"
        self.metrics = list(metrics)
        self.notes: list[str] = []
        self.lock: Lock | None = None
        self.session: int | None = None  # the place in run.json of the session that it has described
        self._load()

    def __enter__(self) -> "RunDirectory":
        """Create the directory and become its only writer. Raises InputError if it is in use or cannot be written."""
        with writing(self.folder):
            (self.folder / "raw").mkdir(parents=True, exist_ok=True)
            self.lock = Lock(self.folder / LOCK)
        try:
            torn = self._load()
            with writing(self.folder):
                for partial in (path for pattern in UNFINISHED for path in self.folder.glob(pattern)):
                    partial.unlink()
        except BaseException:
            self.lock.release()
            raise
        self.notes = self._notes(torn, self.lock.taken_from)
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        assert self.lock is not None
        try:
            if self._outdated and not isinstance(error, WriteError):
                self.write()
        finally:
            self.lock.release()

    def add(self, row: Mapping[str, object], raw: Mapping[str, Arrays] | None = None) -> None:
        """Write a row, in the place of an earlier one of its cell, and before it the raw data by stem.

        Raises WriteError, which holds the row, if that fails.
        """
        try:
            for stem, arrays in (raw or {}).items():
                self.add_raw(stem, arrays)
            with continuing(self.folder):
                self._check_lock()
                append(self.path, to_line(row, [*NAMES, *self.metrics]).encode())
        except WriteError as error:
            self._outdated |= self._keep(dict(row))
            error.rows = self._unwritten(row)
            raise
        self._outdated |= self._keep(dict(row))
        if row["status"] == "ok":  # a failed cell is tried again, and then needs only its other blocks
            self.units.remove(str(row["cell"]))

    def write(self) -> None:
        """Write results.csv as a whole, unless it is as it should be. Raises WriteError."""
        text = to_csv(self.frame()).encode()
        with continuing(self.folder):
            self._check_lock()
            if not self.path.exists() or self.path.read_bytes() != text:
                replace(self.path, text)
            self.path.open("r+b").close()  # a file that cannot be appended to is found now
        self._outdated = False

    def arrange(self, cells: Iterable[str]) -> None:
        """Put the rows of these cells last and in this order, in results.csv at the end."""
        for cell in cells:
            if cell in self.rows:
                self.rows[cell] = self.rows.pop(cell)
        self._outdated = True

    def frame(self) -> pd.DataFrame:
        """All rows, with the documented columns and types."""
        if not self.rows:
            return empty_frame(self.metrics)
        rows = pd.DataFrame.from_records(list(self.rows.values()))
        return typed(rows.reindex(columns=[*NAMES, *self.metrics]))

    def done(self, cell: str) -> bool:
        """Whether the cell has been measured; a failed one is tried again."""
        return cell in self.rows and self.rows[cell]["status"] == "ok"

    def add_raw(self, stem: str, arrays: Arrays) -> None:
        """Keep what rows were made from: timings, per-block values and the first images. Raises WriteError."""
        packed = io.BytesIO()  # zipfile prints a traceback of its own if it runs out of room
        np.savez_compressed(packed, **dict[str, Any](arrays))
        with continuing(self.folder):
            replace(self.folder / "raw" / f"{stem}.npz", packed.getvalue())

    def add_traceback(self, cell: str, text: str) -> None:
        """Keep how a cell failed, in tracebacks/CELL.txt. Raises WriteError."""
        with continuing(self.folder):
            (self.folder / "tracebacks").mkdir(exist_ok=True)
            replace(self.folder / "tracebacks" / f"{cell}.txt", text.encode())

    def add_profile(self, cell: str, trace: bytes) -> Path:
        """Keep the trace of a cell's sampling run, in profile/CELL.json.gz; returns its path. Raises WriteError."""
        path = self.folder / "profile" / f"{cell}.json.gz"
        with continuing(self.folder):
            path.parent.mkdir(exist_ok=True)
            replace(path, trace)
        return path

    @property
    def described(self) -> bool:
        """Whether there is a run.json."""
        return (self.folder / "run.json").exists()

    def describe(self, facts: Mapping[str, object]) -> None:
        """Add a session to run.json. Raises WriteError, or InputError if what is there is damaged."""
        described = with_session(read_facts(self.folder) if self.described else {}, facts)
        self._write_facts(described)
        self.session = len(sessions(described)) - 1

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Add to the session that was described where its time went. Raises as `describe` does."""
        assert self.session is not None, "a session is described first"
        self._write_facts(with_seconds(read_facts(self.folder), self.session, seconds))

    def _write_facts(self, facts: Mapping[str, Any]) -> None:
        with continuing(self.folder):
            self._check_lock()
            replace(self.folder / "run.json", (json.dumps(facts, indent=2) + "\n").encode())

    def _load(self) -> str:
        """Read the rows; returns what follows the last complete one. Raises InputError for anything but a run."""
        if self.described and "runs" in read_facts(self.folder):
            raise InputError(f"{str(self.folder)!r} is a report of several runs: choose another --output.")
        found = read_rows(self.folder, self.path) if self.path.exists() else StoredRows(empty_frame(), None, "")
        self.metrics = [name for name in dict.fromkeys([*self.metrics, *found.frame.columns]) if name not in NAMES]
        self.rows: dict[str, dict] = {}  # by cell
        self._cells: dict[tuple, str] = {}  # by identity
        for row in found.frame.to_dict("records"):
            self._keep(row)
        self._outdated = False  # whether results.csv has rows that were replaced
        self.units = Units(self.folder)
        return found.torn

    def _notes(self, torn: str, before: Writer | None) -> list[str]:
        notes = []
        if before:
            notes.append(f"Took over {self.folder} from {before}, which has ended without releasing it")
        if torn:
            notes.append(f"{self.path} ends in the middle of a row, which is measured again: {torn[:60]}")
        return notes

    def _keep(self, row: dict) -> bool:
        """Keep a row in memory; returns whether it replaces one."""
        key = identity(row, CELL_OF_RUN)
        replaced = self.rows.pop(self._cells.get(key, ""), None)
        self._cells[key] = str(row["cell"])
        self.rows[str(row["cell"])] = row
        return replaced is not None

    def _unwritten(self, row: Mapping[str, object]) -> str:
        """As CSV, the row, or all rows if their file is gone."""
        if self.path.exists():
            return to_line(row, [*NAMES, *self.metrics])
        return to_csv(self.frame())

    def _check_lock(self) -> None:
        assert self.lock is not None, "rows are written inside `with`"
        if not self.lock.held():
            raise WriteError(
                f"{str(self.folder / LOCK)!r} was removed or replaced during this run, so another run may write there "
                "too: the rows before are kept, and the same command continues."
            )
