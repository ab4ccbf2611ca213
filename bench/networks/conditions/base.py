"""What networks are told besides the state and the time: a kind of condition is one file here, or a plug-in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from samplerbench.data.dataset import Dataset, Images, digest
from samplerbench.errors import InputError
from samplerbench.methods import Plugin, Registry, import_files, load_entry_points


@dataclass(frozen=True, eq=False)
class Conditions:
    """A table of conditions, of which a network is given one for each image, by its number.

    rows: (N + 1, ...), as the U-Net takes them: channels (C, h, w), tokens (L,) or vectors (L, D). The last one stands
        for no condition.
    classes: (N,), the class that each asks for; -1 for none.
    prompts: each as text, where it is one.
    targets: uint8 images (N, C, H, W) from which they were made, where samples are to restore these.
    """

    rows: Tensor
    classes: Tensor
    prompts: tuple[str, ...] = ()
    targets: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rows) - 1

    @cached_property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of all conditions."""
        return digest(self.rows)


class Asked(NamedTuple):
    """What images were conditioned on: entries of a table, by their numbers (B,) on the CPU."""

    conditions: Conditions
    numbers: Tensor

    @property
    def classes(self) -> Tensor:
        """The class that each image was asked to show (B,); -1 for none."""
        return self.conditions.classes[self.numbers]

    def first(self, count: int) -> Asked:
        """Those of the first images."""
        return Asked(self.conditions, self.numbers[:count])


@dataclass(frozen=True, eq=False)
class Source:
    """What conditions are made from.

    space: what the network is trained on, a data set or its latents. images: of the data set, uint8.
    """

    space: Dataset
    images: Images

    @classmethod
    def of(cls, space: Dataset) -> Source:
        """The images of a network's data set. Raises InputError if they cannot be loaded."""
        return cls(space, space.base.load())


class Condition(Plugin, ABC):
    """A kind of condition. Its options may differ between training and sampling, as long as `network` is the same."""

    @abstractmethod
    def network(self, space: Dataset) -> Mapping[str, Any]:
        """The options of the U-Net that takes it: `inputs`, or `context` and `vocabulary`."""

    @abstractmethod
    def training(self, source: Source) -> Conditions:
        """The conditions of the training images, in their order, once or several times over.

        Raises InputError if the images do not have any.
        """

    @abstractmethod
    def sampling(self, source: Source) -> Conditions:
        """The conditions under which images are generated. Raises InputError if they cannot be made."""


def _load_conditions() -> None:
    import_files("samplerbench.networks.conditions", skip=("samplerbench.networks.conditions.base",))
    load_entry_points()


CONDITIONS: Registry[Condition] = Registry("condition", Condition, _load_conditions)


def held_out(condition: Condition, source: Source) -> tuple[Tensor, Tensor]:
    """The held-out images (N, C, H, W), uint8, and their labels (N,). Raises InputError if there are none."""
    if not len(source.images.test):
        raise InputError(f"The condition {condition} is made of held-out images, and {source.space.base} has none.")
    return source.images.test, source.images.test_labels


def with_null(rows: Tensor, null: Tensor | None = None) -> Tensor:
    """The rows (N, ...) and a last one that stands for no condition: `null`, or zeros."""
    return torch.cat((rows, torch.zeros_like(rows[:1]) if null is None else null[None]))
