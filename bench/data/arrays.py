"""Images in NumPy's files: .npz as ADM and EDM exchange samples, .npy as `--save-images` writes them."""

import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.data.files import FileData, Labelled, check_images, check_size
from samplerbench.errors import InputError

IMAGES, LABELS = ("arr_0", "images"), ("arr_1", "labels")
# What NumPy raises for damaged files.
DAMAGED = (OSError, ValueError, EOFError, KeyError, TypeError, SyntaxError, MemoryError, OverflowError, RuntimeError,
           NotImplementedError, zipfile.BadZipFile, zipfile.LargeZipFile)  # fmt: skip


class ArrayData(FileData):
    """Images in one file."""

    @property
    def place(self):
        return Path(self.path).expanduser()

    def signature(self):
        stat = self.place.stat()
        return stat.st_mtime_ns, stat.st_size


@DATASETS.register("npz")
@dataclass(frozen=True)
class Npz(ArrayData):
    """The array `arr_0` (or `images`) of a .npz file, uint8 (N, H, W, C) as ADM's; labels in `arr_1` (or `labels`)."""

    path: str = field(metadata={"argument": "FILE"})

    def read(self):
        arrays = read_npz(self.place, (*IMAGES, *LABELS))
        images = next((arrays[name] for name in IMAGES if name in arrays), None)
        if images is None:
            raise InputError(f"{self.place} has no array {' or '.join(IMAGES)}.")
        labels = next((arrays[name] for name in LABELS if name in arrays), None)
        return as_images(images, labels, self.place), None


@DATASETS.register("npy")
@dataclass(frozen=True)
class Npy(ArrayData):
    """The array of a .npy file, uint8 (N, C, H, W) as `--save-images` writes it, or (N, H, W, C)."""

    path: str = field(metadata={"argument": "FILE"})

    def read(self):
        return as_images(read_npy(self.place), None, self.place), None


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of the named arrays that a .npz file has. Raises InputError if it is damaged or holds objects.

    The shape that a header claims is compared with the size of the data before memory is taken.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = {name.removesuffix(".npy"): archive.getinfo(name) for name in archive.namelist()}
            for name in names:
                if name in inside:
                    with archive.open(inside[name]) as member:
                        _check_header(member, inside[name].file_size, path, name)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names if name in inside}
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{path} is damaged or not a .npz file: {_reason(error)}") from error


def read_npy(path: Path) -> np.ndarray:
    """The array of a .npy file. Raises InputError if it is damaged or holds objects."""
    try:
        with path.open("rb") as file:
            _check_header(file, path.stat().st_size, path, path.name)
        return np.load(path, allow_pickle=False)
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{path} is damaged or not a .npy file: {_reason(error)}") from error


def _check_header(file: IO[bytes], size: int, path: Path, name: str) -> None:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise InputError(f"{name} in {path} holds Python objects, which are not read.")
    if any(length < 0 for length in shape) or int(np.prod(shape, dtype=object)) * dtype.itemsize > size:
        raise InputError(f"{name} in {path} claims the shape {shape}, for which the file is too short.")


def as_images(images: np.ndarray, labels: np.ndarray | None, path: Path) -> Labelled:
    """An array of images, whichever axis has the colours, with labels. Raises InputError for anything else."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise InputError(
            f"{path} holds {images.dtype} of shape {images.shape}: images are uint8 (N, H, W, C) or (N, C, H, W)."
        )
    tensor = torch.from_numpy(np.ascontiguousarray(images))
    if tensor.ndim == 3:
        tensor = tensor[:, None]
    elif tensor.shape[1] not in (1, 3):
        tensor = tensor.permute(0, 3, 1, 2).contiguous()
    check_size(len(tensor), tensor[0].numel() if len(tensor) else 0, path)
    if labels is not None and labels.dtype.kind not in "iu":
        raise InputError(f"The labels in {path} are {labels.dtype}, not whole numbers.")
    return check_images(tensor, None if labels is None else torch.from_numpy(labels.astype(np.int64)), path)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
