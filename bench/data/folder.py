"""Folders of images: PNG, JPEG and what else Pillow reads, with labels from sub-folders or dataset.json."""

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from samplerbench.data.dataset import DATASETS
from samplerbench.data.files import FileData, Labelled, check_images, check_size
from samplerbench.errors import InputError

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
HELD_OUT = ("test", "val", "valid", "validation")
MODES = {"L": 1, "RGB": 3}
LARGEST = 8192  # pixels a side


@DATASETS.register("folder")
@dataclass(frozen=True)
class Folder(FileData):
    """The images in a folder and below, with classes from its sub-folders, or from dataset.json as EDM writes it.

    Sub-folders `train` and `test` (or `val`) are the two parts. All images are square, of one size, grey or RGB.
    """

    path: str = field(metadata={"argument": "DIR"})

    @property
    def place(self):
        return Path(self.path).expanduser()

    def signature(self):
        files = image_files(self.place, self)
        stats = [file.stat() for file in (*files, *self.place.rglob("dataset.json"))]
        return len(files), max(each.st_mtime_ns for each in stats), sum(each.st_size for each in stats)

    def read(self):
        parts = _parts(self.place)
        if parts is None:
            return read_folder(self.place, self), None
        train, test = (read_folder(part, self) for part in parts)
        if train.images.shape[1:] != test.images.shape[1:] or train.classes < test.classes:
            raise InputError(f"The images in {parts[0]} and {parts[1]} differ in size, colours or classes.")
        return train, test._replace(classes=train.classes)


def image_files(folder: Path, data: object) -> list[Path]:
    """All images in a folder and below, sorted by their relative paths. Raises InputError if there are none."""
    if not folder.is_dir():
        raise InputError(f"{data}: {str(folder)!r} is no folder.")
    files = [file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file()]
    if not files:
        raise InputError(f"{data}: {str(folder)!r} holds no images ({', '.join(sorted(ENDINGS))}).")
    return sorted(files, key=lambda file: file.relative_to(folder).as_posix())


def _parts(folder: Path) -> tuple[Path, Path] | None:
    """The training and the held-out folder, where these are all there is."""
    inside = {entry.name: entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")}
    other = next((name for name in HELD_OUT if name in inside), "")
    return (inside["train"], inside[other]) if other and set(inside) == {"train", other} else None


def read_folder(folder: Path, data: object) -> Labelled:
    """The images of a folder with their labels. Raises InputError, which names the first file that does not fit."""
    files = image_files(folder, data)
    first = _decoded(files[0])
    check_size(len(files), first.nbytes, folder)
    images = np.empty((len(files), *first.shape), np.uint8)
    for index, file in enumerate(files):
        images[index] = _like(first, file, files[0]) if index else first
    names = [file.relative_to(folder).as_posix() for file in files]
    return check_images(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), _labels(folder, names), folder)


def _like(first: np.ndarray, file: Path, other: Path) -> np.ndarray:
    pixels = _decoded(file)
    if pixels.shape != first.shape:
        raise InputError(f"{file} is {_described(pixels)}, and {other} is {_described(first)}: all must be alike.")
    return pixels


def _described(pixels: np.ndarray) -> str:
    height, width, channels = pixels.shape
    return f"{width}x{height} in {'grey' if channels == 1 else 'RGB'}"


def _decoded(file: Path) -> np.ndarray:
    return decoded(file, file)


def decoded(file: Path | IO[bytes], name: object) -> np.ndarray:
    """The pixels (H, W, C) of an image. Its header is checked before memory is taken. name: in messages."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                if image.mode not in MODES:
                    raise InputError(f"{name} is in mode {image.mode}: save it in grey (L) or RGB.")
                if max(image.size) > LARGEST:
                    raise InputError(f"{name} is {image.size[0]}x{image.size[1]}, more than {LARGEST} pixels a side.")
                pixels = np.asarray(image)
    except InputError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} cannot be read as an image: it is damaged, too large, or another format.") from error
    except Exception as error:  # the decoders of Pillow raise almost anything for damaged files
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{name} cannot be read as an image: {type(error).__name__}: {reason}") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _labels(folder: Path, names: list[str]) -> torch.Tensor | None:
    """The labels from dataset.json, or from the sub-folders if every image lies in one."""
    listed = folder / "dataset.json"
    if listed.is_file():
        return _listed(listed, names)
    tops = [name.split("/")[0] if "/" in name else "" for name in names]
    if "" in tops or len(set(tops)) < 2:
        return None
    classes = {name: index for index, name in enumerate(sorted(set(tops)))}
    return torch.tensor([classes[top] for top in tops])


def _listed(file: Path, names: list[str]) -> torch.Tensor | None:
    """The labels in a dataset.json: {"labels": [["path.png", 3], ...]}, null for none."""
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        labels = content["labels"]
        if labels is None:
            return None
        found = {str(name).replace("\\", "/"): int(label) for name, label in dict(labels).items()}
        return torch.tensor([found[name] for name in names])
    except KeyError as error:
        raise InputError(f"{file} has no label for {error}.") from error
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"{file} is not of the form {{'labels': [['name.png', 3], ...]}}: {type(error).__name__}."
        ) from error
