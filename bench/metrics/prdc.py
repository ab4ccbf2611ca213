"""Precision, recall, density and coverage: fidelity and diversity by nearest neighbours."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from samplerbench.methods import Between
from samplerbench.metrics.accumulators import Collect
from samplerbench.metrics.base import METRICS, Accumulator, Features, ImageMetric
from samplerbench.metrics.column import Column
from samplerbench.metrics.neighbours import count_in_balls, covered, radii

Neighbours = Annotated[int, Between(1, 100)]


def _fraction(name: str, meaning: str, wide: bool = False) -> tuple[Column]:
    return (Column(name, name, "higher", "{:.3f}", f"**{name}**: {meaning}", wide=wide),)


@METRICS.register("precision")
@dataclass(frozen=True)
class Precision(ImageMetric):
    """Fraction of samples no farther from some real image than its `neighbours`-th neighbour (arXiv 1904.06991)."""

    neighbours: Neighbours = 3

    columns: ClassVar = _fraction("precision", "fraction of samples that lie in the neighbourhood of a real image.")

    def accumulator(self, real):
        reach = real.radii(self.neighbours)
        return Collect(
            lambda inside: {"precision": inside.double().mean().item()},
            lambda features: count_in_balls(features, real.reference, reach) > 0,
        )


@METRICS.register("recall")
@dataclass(frozen=True)
class Recall(ImageMetric):
    """Fraction of real images no farther from some sample than its `neighbours`-th neighbour (arXiv 1904.06991)."""

    neighbours: Neighbours = 3

    columns: ClassVar = _fraction("recall", "fraction of real images that lie in the neighbourhood of a sample.")

    def accumulator(self, real):
        def score(features: Tensor) -> dict[str, float]:
            inside = count_in_balls(real.reference, features, radii(features, self.neighbours)) > 0
            return {"recall": inside.double().mean().item()}

        return Collect(score)

    def min_samples(self, width):
        return self.neighbours + 1


@METRICS.register("density")
@dataclass(frozen=True)
class Density(ImageMetric):
    """Mean number of real neighbourhoods that contain a sample, 1 for real images (arXiv 2002.09797)."""

    neighbours: Neighbours = 5

    columns: ClassVar = _fraction(
        "density", "mean number of real neighbourhoods that contain a sample, normalised to 1 for real images.", True
    )

    def accumulator(self, real):
        reach = real.radii(self.neighbours)
        return Collect(
            lambda around: {"density": around.mean().item() / self.neighbours},
            lambda features: count_in_balls(features, real.reference, reach, torch.lt),
        )


@METRICS.register("coverage")
@dataclass(frozen=True)
class Coverage(ImageMetric):
    """Fraction of real images whose neighbourhood contains a sample (arXiv 2002.09797)."""

    neighbours: Neighbours = 5

    columns: ClassVar = _fraction("coverage", "fraction of real neighbourhoods that contain a sample.", True)

    def accumulator(self, real):
        return CoverageState(real.reference, real.radii(self.neighbours))


class CoverageState(Accumulator):
    """Which neighbourhoods of real images contain a sample so far."""

    def __init__(self, centres: Tensor, reach: Tensor):
        self.centres, self.reach = centres, reach
        self.hit = torch.zeros(len(centres), dtype=torch.bool)

    def update(self, batch: Features) -> None:
        self.hit |= covered(batch.features, self.centres, self.reach)

    def columns(self) -> dict[str, float]:
        return {"coverage": self.hit.double().mean().item()}
