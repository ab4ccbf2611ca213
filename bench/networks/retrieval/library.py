"""A database with the features of its images and their index."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.networks.conditions.base import Source
from samplerbench.networks.retrieval.database import Database, database_of, keys
from samplerbench.networks.retrieval.features import Encoder, encoder_of
from samplerbench.networks.retrieval.index import Index


@dataclass(frozen=True, eq=False)
class Library:
    """A database in the features of an encoder. Numbers are those of its images."""

    database: Database
    encoder: Encoder

    @classmethod
    def of(cls, name: str, source: Source) -> "Library":
        """The database of that name. Raises InputError or SpecError, as `database_of` does."""
        return cls(database_of(name, source), encoder_of(source.space.base))

    @cached_property
    def features(self) -> Tensor:
        """(N, D), as `Encoder.encode` scales them."""
        return self.encoder.encode(self.database.images)

    def nearest(self, images: Tensor, k: int) -> Tensor:
        """The numbers (Q, k) of the nearest others of each uint8 image (Q, C, H, W).

        An image that is itself in the database is no neighbour of itself: a network that was given it would copy it.
        Raises InputError if there are too few.
        """
        own, theirs = {key: number for number, key in enumerate(keys(self.database.images))}, keys(images)
        itself = torch.tensor([own.get(key, -1) for key in theirs])
        inside = int((itself >= 0).any())
        self.check(k + inside, f"{k} others of each" if inside else f"{k} of each query")
        found = self._index.nearest(self.encoder.encode(images), k + inside)
        last = (found == itself[:, None]).int().argsort(dim=1, stable=True)
        return found.gather(1, last[:, :k])

    def central(self, numbers: Tensor, count: int) -> Tensor:
        """Of these images (M,), at most `count` whose features are nearest to their mean."""
        features = self.features[numbers].double()
        distances = (features - features.mean(0)).square().sum(1)
        return numbers[distances.argsort(stable=True)[:count]]

    def check(self, count: int, wanted: str, found: Sequence[int] | Tensor | None = None, of: str = "") -> None:
        """Raises InputError if fewer than `count` images were found, or are there. of: what they show."""
        there = len(self.database.images) if found is None else len(found)
        if there < count:
            images = "image" if there == 1 else "images"
            raise InputError(
                f"The database {self.database.name!r} has {there} {images}{of}, and {wanted} are retrieved: choose "
                "another database or a lower k."
            )

    @cached_property
    def _index(self) -> Index:
        return Index(self.features)
