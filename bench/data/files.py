"""Images of the user's own, from files: how they are split, and what is known of them once they are read."""

import re
from abc import ABC, abstractmethod
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from samplerbench.data.dataset import OWN_IMAGES, Dataset, Images
from samplerbench.errors import InputError

FEWEST = 4  # images: two in each half
MOST_BYTES = 2**34  # of all images together, in memory


class Labelled(NamedTuple):
    """Images uint8 (N, C, H, W) and labels int64 (N,), which are 0 where there are no classes."""

    images: Tensor
    labels: Tensor
    classes: int = 0


class FileData(Dataset, ABC):
    """Images in files. The reference is the training part, and the other part gives the floor.

    A source without parts of its own is cut in halves, in an order that depends on the number of images alone.
    """

    preset = ""
    extractor = "inception-v3-compat"
    known_as = OWN_IMAGES

    @property
    @abstractmethod
    def place(self) -> Path:
        """The file or folder."""

    @abstractmethod
    def read(self) -> tuple[Labelled, Labelled | None]:
        """All images, or the training and the held-out ones. Raises InputError, which names the first bad file."""

    @abstractmethod
    def signature(self) -> tuple:
        """What changes when the files do."""

    @cached_property
    def _read(self) -> tuple[Labelled, Labelled | None]:
        if not self.place.exists():
            raise InputError(f"{self}: there is no {str(self.place)!r}.")
        return _read_once(self, self.signature())

    @cached_property
    def _parts(self) -> tuple[Labelled, Labelled]:
        first, second = self._read
        return (first, second) if second else _halves(first, self)

    @property
    def slug(self) -> str:
        return re.sub(r"[^\w.]+", "-", self.place.resolve().stem).strip("-") or self.name

    @property
    def resolution(self) -> int:
        return self._read[0].images.shape[-1]

    @property
    def channels(self) -> int:
        return self._read[0].images.shape[1]

    @property
    def classes(self) -> int:
        return self._read[0].classes

    def load(self, root=None, download=False):
        if root or download:
            raise InputError(f"{self} is read from where it is: leave out --data-root and --download.")
        train, test = self._parts
        return Images(train.images, train.labels, test.images, test.labels)

    def ordered(self) -> Labelled:
        """All images, in the order of the files."""
        first, second = self._read
        if second is None:
            return first
        return Labelled(
            torch.cat((first.images, second.images)), torch.cat((first.labels, second.labels)), self.classes
        )


@lru_cache(maxsize=4)
def _read_once(data: FileData, signature: tuple) -> tuple[Labelled, Labelled | None]:
    """The images, read again only if the files have changed."""
    return data.read()


def _halves(whole: Labelled, data: FileData) -> tuple[Labelled, Labelled]:
    count = len(whole.images)
    if count < FEWEST:
        raise InputError(f"{data} has {count} images: at least {FEWEST} are needed, half of them for the floor.")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    parts = order[: (count + 1) // 2], order[(count + 1) // 2 :]
    first, second = (Labelled(whole.images[part], whole.labels[part], whole.classes) for part in parts)
    return first, second


def check_images(images: Tensor, labels: Tensor | None, place: object) -> Labelled:
    """Images as they are measured, with their labels. Raises InputError for another shape or other labels."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[2] != images.shape[3]:
        raise InputError(
            f"{place} has images of {'x'.join(map(str, images.shape[1:]))}: square ones in grey or RGB are needed."
        )
    if labels is None:
        return Labelled(images, torch.zeros(len(images), dtype=torch.int64))
    if labels.shape != (len(images),) or (len(labels) and int(labels.min()) < 0):
        raise InputError(
            f"{place} has labels of shape {tuple(labels.shape)}: a whole number from 0 an image is needed."
        )
    return Labelled(images, labels.long(), int(labels.max()) + 1 if len(labels) else 0)


def check_size(count: int, each: int, place: object) -> None:
    """Raises InputError for more than memory should hold. each: bytes of an image."""
    if count * each > MOST_BYTES:
        raise InputError(
            f"{place} holds {count} images of {each} bytes, more than {MOST_BYTES // 2**30} GB: measure them with "
            "--reference stats:FILE.npz, their mean and covariance."
        )
