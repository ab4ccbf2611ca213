"""Finished seed blocks of cells that have no row yet, so that a kill loses only the blocks that were running."""

import io
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from samplerbench.store.atomic import continuing, replace
from samplerbench.store.raw import Arrays

NAME = re.compile(r"([0-9a-f]+)-(\d+)\.npz")


class Units:
    """`units/CELL-BLOCK.npz` in a run directory. The key of a cell covers all that its blocks depend on."""

    def __init__(self, run: Path):
        self.run, self.folder = run, run / "units"
        self._blocks: dict[str, set[int]] = {}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if found := NAME.fullmatch(path.name):
                self._blocks.setdefault(found[1], set()).add(int(found[2]))

    def add(self, cell: str, block: int, arrays: Arrays) -> None:
        """Keep a finished block. Raises WriteError."""
        packed = io.BytesIO()
        np.savez(packed, **dict[str, Any](arrays))
        with continuing(self.run):
            self.folder.mkdir(exist_ok=True)
            replace(self._path(cell, block), packed.getvalue())
        self._blocks.setdefault(cell, set()).add(block)

    def read(self, cell: str) -> dict[int, Arrays]:
        """The kept blocks of a cell. A damaged file is deleted, since its block can be measured again."""
        found: dict[int, Arrays] = {}
        for block in sorted(self._blocks.get(cell, ())):
            try:
                with np.load(self._path(cell, block)) as arrays:
                    found[block] = dict(arrays)
            except Exception:  # numpy, zipfile and zlib each have their own
                self._delete(cell, block)
        return found

    def remove(self, cell: str) -> None:
        """Delete the blocks of a cell, which has a row now, and the folder with the last of them."""
        if cell not in self._blocks:
            return
        for block in sorted(self._blocks[cell]):
            self._delete(cell, block)
        del self._blocks[cell]
        with suppress(OSError):  # it holds other cells
            self.folder.rmdir()

    def _delete(self, cell: str, block: int) -> None:
        self._blocks[cell].discard(block)
        with continuing(self.run):
            self._path(cell, block).unlink(missing_ok=True)

    def _path(self, cell: str, block: int) -> Path:
        return self.folder / f"{cell}-{block}.npz"
