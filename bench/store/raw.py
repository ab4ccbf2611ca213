"""Raw data, which rows were made from: arrays by stem, in raw/."""

import io
from collections.abc import Mapping

import numpy as np

from samplerbench.store.place import Place

Arrays = Mapping[str, np.ndarray]


def read_raw(run: Place, cell: str) -> dict[str, np.ndarray]:
    """What `RunDirectory.add_raw` kept for a cell; empty if nothing was."""
    path = run / "raw" / f"{cell}.npz"
    if not path.exists():
        return {}
    with np.load(io.BytesIO(path.read_bytes())) as arrays:
        return dict(arrays)


def teacher_stem(teacher: str, guidance: str) -> str:
    """Where among the raw data the images of a teacher are, on the noise of the first images of a run."""
    return "-".join(filter(None, ("teacher", teacher, guidance)))
