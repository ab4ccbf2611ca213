"""The run directory: results.csv, to which every measured cell adds a row, and what the rows were made from."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samplerbench.errors import InputError, WriteError, reading, writing
from samplerbench.store.atomic import append, continuing, replace
from samplerbench.store.columns import CELL_OF_RUN, NAMES, empty_frame, identity, to_csv, to_line, typed
from samplerbench.store.place import Place
from samplerbench.store.raw import Arrays
from samplerbench.store.rows_apart import RowsApart
from samplerbench.store.sessions import read_facts, sessions, with_seconds, with_session
from samplerbench.store.sharing import Hold, SharedWriter, SoleWriter
from samplerbench.store.stored_rows import StoredRows, read_apart, read_rows
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
    "rows/*.partial",
)


class RunDirectory:
    """The rows of a run, in a directory that survives a kill at any moment and has one writer at a time.

    A row is appended to results.csv, which takes the same time however many there are; of two rows of one cell the
    later counts, and at the end only that is left. In a bucket, or where several sessions write, a row is a file of its
    own in rows/ until the last session moves it there. To write, use it as a context. notes: what there is to say about
    the state in which it was found. units: the finished blocks of cells without a row. hold: the right to write.
    """

    def __init__(self, folder: Place, metrics: Iterable[str] = (), shared: bool = False):
        """Read what the directory holds, if it exists. metrics: columns of rows to come, beside the store's.

        shared: whether others may write at the same time. Raises InputError if it is damaged or holds something else.
        """
        self.folder, self.path, self.apart = folder, folder / "results.csv", RowsApart(folder)
        self.metrics, self.shared = list(metrics), shared
        self.notes: list[str] = []
        self.hold: Hold | None = None
        self.order: list[str] = []
        self.session: int | None = None  # the place in run.json of the session that it has described
        self._load()

    def __enter__(self) -> "RunDirectory":
        """Create the directory and become its writer. Raises InputError if it is in use or cannot be written."""
        with writing(self.folder):
            (self.folder / "raw").mkdir(parents=True, exist_ok=True)
            self.hold = SharedWriter(self.folder) if self.shared else SoleWriter(self.folder)
        try:
            with writing(self.folder), self.hold.turn():
                torn = self._load()
                if self.hold.alone():
                    self._remove_unfinished()
        except BaseException:
            self.hold.release()
            raise
        self.notes = self._notes(torn, self.hold.taken_from)
        return self

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        assert self.hold is not None
        try:
            if not isinstance(error, WriteError):
                with self.turn():
                    self._close(self.hold)
                    self.hold.release()  # before the turn ends, so that the next one knows whether it is the last
        finally:
            self.hold.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A block in which this session alone changes what several of them share. Raises WriteError."""
        assert self.hold is not None, "a session writes inside `with`"
        with continuing(self.folder), self.hold.turn():
            yield

    def _close(self, hold: Hold) -> None:
        """See the rows of all sessions; the last one puts them together."""
        if self.shared:
            self._load()
            self._outdated = True
        if self._outdated and hold.alone():
            self.write()

    def add(self, row: Mapping[str, object], raw: Mapping[str, Arrays] | None = None) -> None:
        """Write a row, in the place of an earlier one of its cell, and before it the raw data by stem.

        Raises WriteError, which holds the row, if that fails.
        """
        try:
            for stem, arrays in (raw or {}).items():
                self.add_raw(stem, arrays)
            self._write_row(row)
        except WriteError as error:
            self._outdated |= self._keep(dict(row))
            error.rows = self._unwritten(row)
            raise
        self._outdated |= self._keep(dict(row))
        if row["status"] == "ok":  # a failed cell is tried again, and then needs only its other blocks
            self.units.remove(str(row["cell"]))

    def _write_row(self, row: Mapping[str, object]) -> None:
        with continuing(self.folder):
            self._check_lock()
            if isinstance(self.path, Path) and not self.shared:
                append(self.path, to_line(row, [*NAMES, *self.metrics]).encode())
            else:
                self.apart.add(row, self.metrics)
                self._outdated = True

    def write(self) -> None:
        """Write results.csv as a whole, unless it is as it should be. Raises WriteError."""
        text = to_csv(self.frame()).encode()
        with continuing(self.folder):
            self._check_lock()
            if not self.path.exists() or self.path.read_bytes() != text:
                replace(self.path, text)
            if isinstance(self.path, Path):
                self.path.open("r+b").close()  # a file that cannot be appended to is found now
            self.apart.clear()
        self._outdated = False

    def arrange(self, cells: Iterable[str]) -> None:
        """Put the rows of these cells last and in this order, in results.csv at the end."""
        self.order, self._outdated = list(cells), True
        self._arrange()

    def _arrange(self) -> None:
        for cell in self.order:
            if cell in self.rows:
                self.rows[cell] = self.rows.pop(cell)

    def refresh(self, cells: Iterable[str]) -> None:
        """See the rows of these cells, and the blocks of all, that other sessions have written meanwhile."""
        with continuing(self.folder):
            written = self.apart.cells()
            self.units.refresh()
            for cell in written.intersection(cells):
                self._keep(read_apart(self.apart.path(cell)))

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

    def add_profile(self, cell: str, trace: bytes) -> Place:
        """Keep the trace of a cell's sampling run, in profile/CELL.json.gz; returns its path. Raises WriteError."""
        path = self.folder / "profile" / f"{cell}.json.gz"
        with continuing(self.folder):
            path.parent.mkdir(exist_ok=True)
            replace(path, trace)
        return path

    @property
    def described(self) -> bool:
        """Whether there is a run.json."""
        with reading(self.folder):
            return (self.folder / "run.json").exists()

    def describe(self, facts: Mapping[str, object]) -> None:
        """Add a session to run.json. Raises WriteError, or InputError if what is there is damaged."""
        with self.turn():
            described = with_session(read_facts(self.folder) if self.described else {}, facts)
            self._write_facts(described)
        self.session = len(sessions(described)) - 1

    def add_seconds(self, seconds: Mapping[str, float]) -> None:
        """Add to the session that was described where its time went. Raises as `describe` does."""
        assert self.session is not None, "a session is described first"
        with self.turn():
            self._write_facts(with_seconds(read_facts(self.folder), self.session, seconds))

    def _write_facts(self, facts: Mapping[str, Any]) -> None:
        with continuing(self.folder):
            self._check_lock()
            replace(self.folder / "run.json", (json.dumps(facts, indent=2) + "\n").encode())

    def _load(self) -> str:
        """Read the rows; returns what follows the last complete one. Raises InputError for anything but a run."""
        if self.described and "runs" in read_facts(self.folder):
            raise InputError(f"{str(self.folder)!r} is a report of several runs: choose another --output.")
        with reading(self.folder):
            found = read_rows(self.folder, self.path) if self.path.exists() else StoredRows(empty_frame(), None, "")
            self.units = Units(self.folder)
        self.metrics = [name for name in dict.fromkeys([*self.metrics, *found.frame.columns]) if name not in NAMES]
        self.rows: dict[str, dict] = {}  # by cell
        self._cells: dict[tuple, str] = {}  # by identity
        for row in found.frame.to_dict("records"):
            self._keep(row)
        self._arrange()
        self._outdated = False  # whether results.csv lacks rows, or has some that were replaced
        return found.torn

    def _remove_unfinished(self) -> None:
        """What was killed while it was written; in a bucket there is no such thing."""
        if isinstance(self.folder, Path):
            for partial in (path for pattern in UNFINISHED for path in self.folder.glob(pattern)):
                partial.unlink()

    def _notes(self, torn: str, before: Iterable[Writer]) -> list[str]:
        notes = [f"Took over {self.folder} from {each}, which has ended without releasing it" for each in before]
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
        with suppress(OSError):  # a storage that does not answer may still have them
            if not self.path.exists():
                return to_csv(self.frame())
        return to_line(row, [*NAMES, *self.metrics])

    def _check_lock(self) -> None:
        assert self.hold is not None, "rows are written inside `with`"
        if isinstance(self.folder, Path):
            self.folder.stat()  # for a sentence of its own, if it is gone
        if not self.hold.lock.held():
            raise WriteError(
                f"{str(self.hold.lock.path)!r} was removed or replaced during this run, so another run may write there "
                "too: the rows before are kept, and the same command continues."
            )
