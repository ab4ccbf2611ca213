"""The run directory: results.csv, one row a cell, kept whole after every cell, and what the rows were made from."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samplerbench.errors import InputError, writing
from samplerbench.store.columns import CELL, DOCUMENTED, NAMES, TEXT, empty_frame, identity, to_csv, typed

NOT_METRICS = ["run"]  # columns of merged results.csv files, which `samplerbench.store.results` reads


class RunDirectory:
    """The rows of a run, in a directory that survives a kill at any moment."""

    def __init__(self, folder: Path, metrics: Iterable[str] = ()):
        """Open or create the directory, for rows with these columns of metrics beside the store's.

        Raises InputError if it cannot be written or holds something else.
        """
        self.folder = folder
        with writing(folder):
            (folder / "raw").mkdir(parents=True, exist_ok=True)
            _write(folder / ".writable", "")
            (folder / ".writable").unlink()
        existing = read_results(folder) if (folder / "results.csv").exists() else empty_frame()
        self.metrics = [name for name in dict.fromkeys([*metrics, *existing.columns]) if name not in NAMES]
        self.rows: dict[str, dict] = {row["cell"]: row for row in existing.to_dict("records")}

    def add(self, row: Mapping[str, object]) -> None:
        """Write a row, in the place of an earlier one of the same cell, or of what the cell was before a change."""
        same = [
            cell
            for cell, old in self.rows.items()
            if identity(old, [*CELL, "device"]) == identity(row, [*CELL, "device"])
        ]
        for cell in same:
            del self.rows[cell]
        self.rows[str(row["cell"])] = dict(row)
        self.write()

    def write(self) -> None:
        """Write results.csv, with its header alone if there are no rows yet."""
        _write(self.folder / "results.csv", to_csv(self.frame()))

    def frame(self) -> pd.DataFrame:
        """All rows, with the documented columns and types."""
        if not self.rows:
            return empty_frame(self.metrics)
        rows = pd.DataFrame.from_records(list(self.rows.values()))
        return typed(rows.reindex(columns=[*NAMES, *self.metrics]))

    def done(self, cell: str) -> bool:
        """Whether the cell has been measured; a failed one is tried again."""
        return cell in self.rows and self.rows[cell]["status"] == "ok"

    def add_raw(self, cell: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep what a row was made from: timings, per-block values and the first images."""
        partial = self.folder / "raw" / f"{cell}.partial.npz"
        np.savez_compressed(partial, **dict[str, Any](arrays))
        os.replace(partial, partial.with_name(f"{cell}.npz"))

    def images(self, cell: str, samples: int) -> "SavedImages":
        """Where a cell's images go when all of them are to be kept."""
        return SavedImages(self.folder / "images", cell, samples)

    def describe(self, facts: Mapping[str, object]) -> None:
        """Write run.json."""
        _write(self.folder / "run.json", json.dumps(facts, indent=2) + "\n")


class SavedImages:
    """All images of a cell, one array (N, C, H, W) a seed block in `images/CELL-BLOCK.npy`, written as they come.

    A file is complete when it bears its name; while it grows it is called `.partial`.
    """

    def __init__(self, folder: Path, cell: str, samples: int):
        self.folder, self.cell, self.samples = folder, cell, samples
        self.block: int | None = None
        self.array: np.memmap | None = None
        self.filled = 0

    def __enter__(self) -> "SavedImages":
        self.folder.mkdir(exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()

    def add(self, block: int, images: np.ndarray) -> None:
        """The next images (B, C, H, W) of a seed block."""
        if block != self.block:
            self._finish()
            self.block, self.filled = block, 0
            shape = (self.samples, *images.shape[1:])
            self.array = np.lib.format.open_memmap(self._path(".partial"), "w+", images.dtype, shape)
        assert self.array is not None
        self.array[self.filled : self.filled + len(images)] = images
        self.filled += len(images)

    def _finish(self) -> None:
        if self.array is not None and self.filled == self.samples:
            self.array.flush()
            os.replace(self._path(".partial"), self._path(".npy"))
        self.array = None

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self.cell}-{self.block}{suffix}"


def read_results(run: Path) -> pd.DataFrame:
    """The rows of a run directory or a CSV. Raises InputError if there are none, or they are another tool's."""
    path = run / "results.csv" if run.is_dir() else run
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(TEXT, str))
    except FileNotFoundError:
        raise InputError(f"There are no results at {str(path)!r}: give the directory of a `bench run`.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read as results of samplerbench: {error}.") from error
    missing = [column for column in DOCUMENTED if column not in frame.columns]
    if missing:
        raise InputError(f"{str(path)!r} is not a results file of samplerbench: it has no column {missing[0]!r}.")
    try:
        return typed(frame.drop(columns=NOT_METRICS, errors="ignore"))
    except (ValueError, TypeError) as error:
        raise InputError(f"{str(path)!r} holds something else than a number where one belongs: {error}.") from error


def read_facts(run: Path) -> dict:
    """run.json of a run directory. Raises InputError if it is missing or damaged."""
    try:
        return json.loads((run / "run.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{str(run)!r} has no readable run.json: give the directory of a `bench run`.") from error


def teacher_stem(teacher: str, guidance: str) -> str:
    """Where among the raw data the images of a teacher are, on the noise of the first images of a run."""
    return "-".join(filter(None, ("teacher", teacher, guidance)))


def read_raw(run: Path, cell: str) -> dict[str, np.ndarray]:
    """What `RunDirectory.add_raw` kept for a cell; empty if nothing was."""
    path = run / "raw" / f"{cell}.npz"
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return dict(arrays)


def _write(path: Path, text: str) -> None:
    """Replace a file at once, so that a kill leaves the old or the new one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
