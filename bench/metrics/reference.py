"""The real images that metrics compare with: features of both splits, floor, ceiling, neighbourhoods."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from typing import Any, TypeVar

import torch
from torch import Tensor

from samplerbench.data.cache import kept
from samplerbench.data.dataset import Images, digest, quantised
from samplerbench.data.reference import GivenStatistics
from samplerbench.metrics.base import FeatureExtractor, Features
from samplerbench.metrics.extractors import BATCH
from samplerbench.metrics.frechet import Reference, Statistics
from samplerbench.metrics.neighbours import radii
from samplerbench.metrics.shipped_extractors import SHIPPED
from samplerbench.sampling.breakdown import FEATURES, Breakdown

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class RealFeatures:
    """The features (N, D) of both splits of the real images, and what metrics compute of them, once a run.

    given: the mean and covariance of the reference's features, where they were given instead of its images.
    spent: where the time of extracting features is booked.
    """

    images: Images
    extractor: FeatureExtractor
    given: GivenStatistics | None = None
    spent: Breakdown = field(default_factory=Breakdown)
    _made: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def train(self) -> Tensor:
        """Features of the training images."""
        return self._features(self.images.train)

    @cached_property
    def test(self) -> Tensor:
        """Features of the held-out images."""
        return self._features(self.images.test)

    def extract(self, images: Tensor) -> Features:
        """What the extractor computes of any images (N, C, H, W), on the CPU."""
        with self.spent.part(FEATURES):
            return self.extractor.extract(images)

    def _features(self, images: Tensor) -> Tensor:
        """Features (N, D), kept for later runs if they come from weights that did not come with the package."""
        extractor = self.extractor
        if not len(images):
            return torch.zeros(0, extractor.width, dtype=torch.float64)
        if extractor.digest == "none" or extractor.name in SHIPPED:
            return self.extract(images).features
        with self.spent.part(FEATURES):
            parts = (digest(images), extractor.name, extractor.digest, extractor.width)
            return kept(parts, lambda: extractor(images))

    @property
    def reference(self) -> Tensor:
        """Features of the images that samples are compared with."""
        return self.test if self.images.held_out_reference else self.train

    @property
    def others(self) -> Tensor:
        """Features of the real images that are not the reference."""
        return self.train if self.images.held_out_reference else self.test

    @cached_property
    def accuracy(self) -> float:
        """The accuracy of the extractor's classifier on held-out images; it needs logits of their classes."""
        predicted = self.extract(self.images.test).logits.argmax(1)
        return (predicted == self.images.test_labels).double().mean().item()

    @property
    def width(self) -> int:
        """The number of features."""
        return self.reference.shape[1]

    @cached_property
    def _gaussian(self) -> Reference:
        moments = self.given.moments if self.given else self.images.moments
        return Reference(Statistics.known(*moments) if moments else Statistics.of(self.reference))

    def distance(self, samples: Statistics) -> float:
        """The Frechet distance of samples to the reference."""
        return self._gaussian.distance(samples)

    def frechet(self, features: Tensor) -> float:
        """The Frechet distance of features (N, D) to the reference."""
        return self.distance(Statistics.of(features))

    def floor(self, samples: int) -> float:
        """The Frechet distance of as many real images outside the reference, or of all if there are fewer.

        NaN if there are none.
        """
        if not len(self.images.floor):
            return nan
        return self.once(f"floor {samples}", lambda: self.frechet(self.others[:samples]))

    def floor_sd(self, samples: int) -> float:
        """The standard deviation of the floor over draws of real images.

        From subsets of n = min(N, M / 2) of the M other images, each without replacement, since duplicates would raise
        the distance; they overlap, so the variance is divided by 1 - n / M. From n to N the standard deviation is taken
        to fall like 1 / N, as that of a distance near zero does. On simulated features like the digits' the result was
        7 to 19 % above the true one for N = M / 2 and from 11 % below to 11 % above it for N = M = 1000, with 800 to
        3000 reference images; 1 / sqrt(N) would have been 25 to 57 % above. Other real images moved it by about 20 %.
        """
        return self.once(f"floor_sd {samples}", lambda: self._floor_sd(min(samples, len(self.others))))

    def _floor_sd(self, count: int) -> float:
        if len(self.images.floor) < 4:
            return nan
        total = len(self.others)
        size = min(count, total // 2)
        generator = torch.Generator().manual_seed(0)
        subsets = [torch.randperm(total, generator=generator)[:size] for _ in range(floor_draws(self.width))]
        distances = torch.tensor([self.frechet(self.others[subset]) for subset in subsets])
        return (distances.std() / (1 - size / total) ** 0.5 * size / count).item()

    def ceiling(self, samples: int) -> float:
        """The Frechet distance of as many images of pure noise: the normal numbers that samplers start from."""
        return self.once(f"ceiling {samples}", lambda: self._ceiling(samples))

    def _ceiling(self, samples: int) -> float:
        statistics, generator = Statistics(self.width), torch.Generator().manual_seed(0)
        for start in range(0, samples, BATCH):
            shape = (min(BATCH, samples - start), *self.images.reference.shape[1:])
            noise = quantised(torch.randn(shape, generator=generator), self.images.exact)
            statistics.update(self.extract(noise).features)
        return self.distance(statistics)

    def radii(self, neighbours: int) -> Tensor:
        """The distance (N,) of each reference image to its `neighbours`-th nearest neighbour in the reference."""
        return self.once(f"radii {neighbours}", lambda: radii(self.reference, neighbours))

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` returns, called once for each key: for a metric's own numbers of the real images."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def floor_draws(width: int) -> int:
    """Subsets for the floor's spread: more where a distance takes a millisecond, not a second."""
    return max(16, 2**13 // width)
