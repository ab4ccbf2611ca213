"""All images of a cell, kept for other tools."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import numpy as np

from samplerbench.store.atomic import continuing
from samplerbench.store.place import Place


class SavedImages:
    """All images of a cell, one array (N, C, H, W) a seed block in `images/CELL-BLOCK.npy`, written as they come.

    A file is complete when it bears its name; while it grows it is called `.partial`. For a bucket, it grows in a
    temporary folder of this machine, which needs room for one block.
    """

    def __init__(self, folder: Place, cell: str, samples: int):
        self.folder, self.cell, self.samples = folder, cell, samples
        self.temporary = None if isinstance(folder, Path) else TemporaryDirectory()
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
        if self.temporary:
            self.temporary.cleanup()

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
        self.file = self._partial.open("wb")
        descr, shape = np.lib.format.dtype_to_descr(images.dtype), (self.samples, *images.shape[1:])
        np.lib.format.write_array_header_1_0(self.file, {"descr": descr, "fortran_order": False, "shape": shape})

    def _finish(self) -> None:
        file, self.file = self.file, None
        if file is not None:
            file.close()
            if self.filled == self.samples:
                self._keep(f"{self.cell}-{self.block}.npy")

    def _keep(self, name: str) -> None:
        if isinstance(self.folder, Path):
            self._partial.replace(self.folder / name)
        else:
            (self.folder / name).upload(self._partial)

    @property
    def _partial(self) -> Path:
        folder = Path(self.temporary.name) if self.temporary else Path(str(self.folder))
        return folder / f"{self.cell}-{self.block}.partial"
