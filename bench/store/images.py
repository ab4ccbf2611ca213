"""All images of a cell, kept for other tools."""

from pathlib import Path
from typing import IO

import numpy as np

from samplerbench.store.atomic import continuing


class SavedImages:
    """All images of a cell, one array (N, C, H, W) a seed block in `images/CELL-BLOCK.npy`, written as they come.

    A file is complete when it bears its name; while it grows it is called `.partial`.
    """

    def __init__(self, folder: Path, cell: str, samples: int):
        self.folder, self.cell, self.samples = folder, cell, samples
        self.block: int | None = None
        self.file: IO[bytes] | None = None
        self.filled = 0

    def __enter__(self) -> "SavedImages":
        with continuing(self.folder.parent):
            self.folder.mkdir(exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        with continuing(self.folder.parent):
            self._finish()

    def add(self, block: int, images: np.ndarray) -> None:
        """The next images (B, C, H, W) of a seed block. Raises WriteError."""
        with continuing(self.folder.parent):
            if block != self.block:
                self._finish()
                self._start(block, images)
            assert self.file is not None
            self.file.write(images.tobytes())  # a memory map would end the process on a full disk
        self.filled += len(images)

    def _start(self, block: int, images: np.ndarray) -> None:
        self.block, self.filled = block, 0
        self.file = self._path(".partial").open("wb")
        descr, shape = np.lib.format.dtype_to_descr(images.dtype), (self.samples, *images.shape[1:])
        np.lib.format.write_array_header_1_0(self.file, {"descr": descr, "fortran_order": False, "shape": shape})

    def _finish(self) -> None:
        file, self.file = self.file, None
        if file is not None:
            file.close()
            if self.filled == self.samples:
                self._path(".partial").replace(self._path(".npy"))

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self.cell}-{self.block}{suffix}"
