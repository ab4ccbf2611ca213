"""Features of real images, kept by the hashes of images and extractor, so that they are computed once a machine."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

LIMIT = 2 * 10**9  # bytes; beyond them the least recently used features go
VERSION = 1  # raised when features of the same names are computed differently


class Entry(NamedTuple):
    """Kept features: their file, its bytes, and when it was last used, in seconds since 1970."""

    file: Path
    size: int
    used: float


def folder() -> Path:
    """Where features are kept: $SAMPLERBENCH_CACHE, or `samplerbench` in the user's folder of caches."""
    named = os.environ.get("SAMPLERBENCH_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "samplerbench"


def kept(parts: tuple[object, ...], make: Callable[[], Tensor]) -> Tensor:
    """The features (N, D) that `make` computes, or those that were kept under the same parts.

    A damaged file is replaced; where nothing can be written, nothing is kept.
    """
    name = hashlib.sha256(repr((VERSION, *parts)).encode()).hexdigest()[:32]
    file = folder() / f"{name}.npy"
    try:
        found = np.load(file, allow_pickle=False)
        if found.dtype == np.float64 and found.ndim == 2 and np.isfinite(found).all():
            os.utime(file)
            return torch.from_numpy(found)
    except (OSError, ValueError, EOFError):
        pass
    features = make()
    with contextlib.suppress(OSError):
        _write(file, features.numpy())
        _prune()
    return features


def entries() -> list[Entry]:
    """What is kept, least recently used first."""
    found = []
    for file in folder().glob("*.npy"):
        with contextlib.suppress(OSError):
            stat = file.stat()
            found.append(Entry(file, stat.st_size, stat.st_mtime))
    return sorted(found, key=lambda entry: entry.used)


def clear() -> list[Entry]:
    """Delete everything that is kept; returns it."""
    removed = entries()
    for entry in removed:
        entry.file.unlink(missing_ok=True)
    return removed


def _write(file: Path, features: np.ndarray) -> None:
    """Write a file as a whole, or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = NamedTemporaryFile(dir=file.parent, suffix=".partial", delete=False)  # noqa: SIM115
    try:
        with partial:
            np.save(partial, features)
        os.replace(partial.name, file)
    except BaseException:
        Path(partial.name).unlink(missing_ok=True)
        raise


def _prune() -> None:
    left = sum(entry.size for entry in entries())
    for entry in entries():
        if left <= LIMIT:
            return
        entry.file.unlink(missing_ok=True)
        left -= entry.size
