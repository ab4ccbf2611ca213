"""Images in a column of a Parquet file, as Hugging Face's data sets store them."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from samplerbench.data.arrays import ArrayData
from samplerbench.data.dataset import DATASETS
from samplerbench.data.files import check_images, check_size
from samplerbench.data.folder import decoded
from samplerbench.errors import InputError


@DATASETS.register("parquet")
@dataclass(frozen=True)
class Parquet(ArrayData):
    """The encoded images in a column of a Parquet file, with whole numbers in another as their labels, if it exists."""

    path: str = field(metadata={"argument": "FILE"})
    column: str = "image"
    label: str = "label"

    def read(self):
        table = _table(self.place)
        if self.column not in table:
            raise InputError(f"{self.place} has no column {self.column!r}: it has {', '.join(map(str, table))}.")
        files = [_encoded(value, self.place, row) for row, value in enumerate(table[self.column])]
        if not files:
            raise InputError(f"{self.place} has no rows.")
        first = decoded(files[0], f"row 0 of {self.place}")
        check_size(len(files), first.nbytes, self.place)
        images = np.empty((len(files), *first.shape), np.uint8)
        for row, file in enumerate(files):
            pixels = decoded(file, f"row {row} of {self.place}")
            if pixels.shape != first.shape:
                raise InputError(f"Row {row} of {self.place} is {pixels.shape}, and row 0 is {first.shape}.")
            images[row] = pixels
        labels = self._labels(table)
        return check_images(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), labels, self.place), None

    def _labels(self, table) -> torch.Tensor | None:
        if self.label not in table:
            return None
        values = table[self.label].to_numpy()
        if values.dtype.kind not in "iu":
            raise InputError(f"The column {self.label!r} of {self.place} holds {values.dtype}, not whole numbers.")
        return torch.from_numpy(values.astype(np.int64))


def _table(path: Path):
    try:
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise InputError("Parquet files are read with pyarrow: pip install pyarrow.") from error
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except Exception as error:  # of many kinds, for a damaged file
        raise InputError(f"{path} is damaged or not a Parquet file: {' '.join(str(error).split())[:100]}") from error


def _encoded(value: object, path: Path, row: int) -> io.BytesIO:
    """The bytes of an image: themselves, or in {"bytes": ..., "path": ...}."""
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise InputError(f"Row {row} of {path} holds {type(content).__name__}, not an encoded image.")
    return io.BytesIO(content)
