"""Distances between individual images: to the nearest training image, and by optimal transport."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from samplerbench.methods import Between
from samplerbench.metrics.accumulators import Collect
from samplerbench.metrics.base import METRICS, ImageMetric
from samplerbench.metrics.column import Column
from samplerbench.metrics.neighbours import nearest_distances


@METRICS.register("novelty")
@dataclass(frozen=True)
class Novelty(ImageMetric):
    """Median feature distance to the nearest training image, over that of held-out images: 1 unseen, 0 memorised."""

    columns: ClassVar = (
        Column(
            "novelty", "novelty", "higher", "{:.2f}",
            "**novelty**: median feature distance from a generated image to its nearest training image, divided by "
            "that of held-out images. Near 1: as novel as unseen data. Near 0: copies of training images.",
        ),
    )  # fmt: skip

    def accumulator(self, real):
        unseen = real.once("holdout distance", lambda: nearest_distances(real.test, real.train).median().item())
        return Collect(
            lambda distances: {"novelty": distances.median().item() / unseen},
            lambda features: nearest_distances(features, real.train),
        )


@METRICS.register("wasserstein")
@dataclass(frozen=True)
class Wasserstein(ImageMetric):
    """W2 between the first samples and as many real images, by exact transport, with its floor.

    images: how many of each; the time grows with the cube of it.
    """

    images: Annotated[int, Between(2, 5000)] = 500

    columns: ClassVar = (
        Column(
            "wasserstein", "Wasserstein", "lower", floor="wasserstein_floor",
            meaning="**Wasserstein**: W2 distance between samples and real images by exact transport; for real images, "
            "the distance between two sets of them.",
        ),
        Column("wasserstein_floor"),
    )  # fmt: skip

    def accumulator(self, real):
        def score(features: Tensor) -> dict[str, float]:
            count = min(self.images, len(features), len(real.reference), len(real.others))
            target = real.reference[:count]
            floor = real.once(f"transport of {count}", lambda: transport_distance(real.others[:count], target))
            return {"wasserstein": transport_distance(features[:count], target), "wasserstein_floor": floor}

        return Collect(score)


def transport_distance(x: Tensor, y: Tensor) -> float:
    """W2 of x (N, D) and y (N, D): the root of the mean squared distance under the cheapest pairing."""
    costs = torch.cdist(x, y).square()
    rows, columns = linear_sum_assignment(costs.numpy())
    return costs[rows, columns].mean().sqrt().item()
