"""Finished seed blocks of cells that have no row yet, so that a kill loses only the blocks that were running."""

import io
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from samplerbench.store.atomic import continuing, replace
from samplerbench.store.place import Place, names
from samplerbench.store.raw import Arrays

NAME = re.compile(r"([0-9a-f]+)-(\d+)\.npz")


class Units:
    """`units/CELL-BLOCK.npz` in a run directory. The key of a cell covers all that its blocks depend on."""

    def __init__(self, run: Place):
        self.run, self.folder = run, run / "units"
        self.refresh()

    def refresh(self) -> None:
        """See the blocks that other processes have added or deleted."""
        self._blocks: dict[str, set[int]] = {}
        for name in names(self.folder):
            if found := NAME.fullmatch(name):
                self._blocks.setdefault(found[1], set()).add(int(found[2]))

    def blocks(self, cell: str) -> set[int]:
        """The kept blocks of a cell, by number; `read` finds those that are damaged."""
        return set(self._blocks.get(cell, ()))

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
                with np.load(io.BytesIO(self._path(cell, block).read_bytes())) as arrays:
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
        if isinstance(self.folder, Path):
            with suppress(OSError):  # it holds other cells
                self.folder.rmdir()

    def _delete(self, cell: str, block: int) -> None:
        self._blocks[cell].discard(block)
        with continuing(self.run):
            self._path(cell, block).unlink(missing_ok=True)

    def _path(self, cell: str, block: int) -> Place:
        return self.folder / f"{cell}-{block}.npz"
