"""The images that are retrieved: those of training, some of them, or others."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from samplerbench.data.captions import SIZES, SLANTS, STROKES, Asked, described
from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError, nearest
from samplerbench.networks.conditions.base import Source

ALL = "all"
TRAITS = {word: name for name, words in (("slant", SLANTS), ("stroke", STROKES), ("size", SIZES)) for word in words}
CLASSES = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
NO_CLASS = -1


@dataclass(frozen=True, eq=False)
class Database:
    """Images that all differ, uint8 (N, C, H, W), and their classes (N,), -1 for none. name: as an option spells it."""

    name: str
    images: Tensor
    labels: Tensor


def database_of(name: str, source: Source) -> Database:
    """The database of that name.

    `all` training images, those of a class or of a range of classes (`3`, `0-4`), those with a trait (`thin`, `thick`,
    `left`, `right`, `small`, `large`), or all images of another data set, as in `folder:DIR` or `npz:FILE`.
    Raises InputError or SpecError if there is none, if it is empty, or if its images have another shape.
    """
    images, labels = source.images.train, source.images.train_labels
    if CLASSES.fullmatch(name):
        kept = _of_classes(name, labels, source.space.classes)
    elif name in TRAITS:
        shown = described(images, labels)
        kept = torch.tensor([getattr(each, TRAITS[name]) == name for each in shown], dtype=torch.bool)
    elif name == ALL:
        kept = torch.ones(len(images), dtype=torch.bool)
    else:
        images, labels = _elsewhere(name, source)
        kept = torch.ones(len(images), dtype=torch.bool)
    if not kept.any():
        raise InputError(f"The database {name!r} is empty: no training image of {source.space.base} belongs to it.")
    images, labels = images[kept], labels[kept]
    first = _first_of_each(images)
    return Database(name, images[first], labels[first] if source.space.classes else torch.full((len(first),), NO_CLASS))


def showing(database: Database, asked: Asked) -> Tensor:
    """The numbers (M,) of the images that show all that is asked."""
    shown = described(database.images, database.labels)
    return torch.tensor([number for number, each in enumerate(shown) if _satisfies(each, asked)], dtype=torch.int64)


def keys(images: Tensor) -> list[bytes]:
    """A hash of each image: identical ones have the same."""
    return [hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest() for image in images.contiguous()]


def _of_classes(name: str, labels: Tensor, classes: int) -> Tensor:
    found = CLASSES.fullmatch(name)
    assert found
    low, high = int(found[1]), int(found[2] or found[1])
    if not low <= high < classes:
        raise InputError(
            f"There is no database {name!r}: classes are a range such as 0-{max(0, classes - 1)}."
            if classes
            else f"There is no database {name!r}, since the images have no classes."
        )
    return (labels >= low) & (labels <= high)


def _elsewhere(name: str, source: Source) -> tuple[Tensor, Tensor]:
    """All images of another data set, with the classes that the network's has too."""
    if name.partition(":")[0] not in DATASETS.names():
        advice = nearest(name, (ALL, *TRAITS))
        raise InputError(
            f"There is no database {name[:100]!r}: write classes as in 0-4, or a data set as in folder:DIR. {advice}"
        )
    dataset = DATASETS.get(name)
    found = dataset.load()
    images, labels = torch.cat((found.train, found.test)), torch.cat((found.train_labels, found.test_labels))
    expected = source.images.train
    if found.exact or images.shape[1:] != expected.shape[1:]:
        kinds = [f"{'x'.join(map(str, each.shape[1:]))} in {each.dtype}" for each in (images, expected)]
        raise InputError(f"The database {name!r} has images of {kinds[0]}, and the network was trained on {kinds[1]}.")
    known = labels < min(dataset.classes, source.space.classes)
    return images, labels.where(known, NO_CLASS)


def _first_of_each(images: Tensor) -> Tensor:
    """The numbers of the images that do not repeat an earlier one."""
    first: dict[bytes, int] = {}
    for number, key in enumerate(keys(images)):
        first.setdefault(key, number)
    return torch.tensor(list(first.values()))


def _satisfies(shown: Sequence[object], asked: Sequence[object]) -> bool:
    return all(wanted is None or wanted == found for wanted, found in zip(asked, shown, strict=True))
