"""The Monge Inception Distance: one-dimensional optimal transport, averaged over directions in feature space."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from samplerbench.methods import Between
from samplerbench.metrics.accumulators import Collect
from samplerbench.metrics.base import METRICS, ImageMetric
from samplerbench.metrics.column import BLOCKS, Column, literal
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.metrics.reference import RealFeatures

CHUNK = 64  # directions whose merged quantiles are in memory at once


def _meaning(space: str) -> str:
    return (
        "**{label}**: Monge Inception Distance, the sliced squared Wasserstein distance between {samples} generated "
        f"and {{reference_images}} reference images in the space of {space}, times three times the number of features."
    )


@METRICS.register("mind")
@dataclass(frozen=True)
class MIND(ImageMetric):
    """Squared transport distance to the reference along random directions in feature space (arXiv 2605.06797).

    projections: random directions. encoder: one of `bench list encoders`; without one, the features are those of FID.
    """

    projections: Annotated[int, Between(1, 100_000)] = 1000
    encoder: str | None = None

    columns: ClassVar = (
        Column(
            "mind", "MIND", "lower", extractor=True, spread=BLOCKS, floor="mind_floor",
            meaning=_meaning("`{extractor}`"),
        ),
        Column("mind_floor"),
    )  # fmt: skip

    def __post_init__(self):
        super().__post_init__()
        _ = self.encoded_by  # an unknown encoder is an error at once

    @property
    def encoded_by(self):
        return () if self.encoder is None else (ENCODERS.get(self.encoder),)

    def described(self, real):
        first, *others = self.columns
        for encoder in self.encoded_by:
            meaning = _meaning(literal(encoder.meaning))
            first = replace(first, label=f"MIND ({real.extractor.label})", extractor=False, meaning=meaning)
        return (first, *others)

    def accumulator(self, real):
        axes = directions(self.projections, real.width)

        def score(projected: Tensor) -> dict[str, float]:
            return {
                "mind": self._distance(projected, real, axes),
                "mind_floor": self._floor(len(projected), real, axes),
            }

        return Collect(score, reduce=lambda features: features @ axes.T)

    def _distance(self, projected: Tensor, real: RealFeatures, axes: Tensor) -> float:
        """MIND of projections (N, M) to those of the reference."""
        key = f"mind {self.projections}"
        reference = real.once(key, lambda: (real.reference @ axes.T).sort(0).values)
        return 3 * real.width * transport(projected.sort(0).values, reference).mean().item()

    def _floor(self, count: int, real: RealFeatures, axes: Tensor) -> float:
        """MIND of as many real images outside the reference, or of all if there are fewer; NaN if there are none."""
        if not len(real.images.floor):
            return float("nan")
        key = f"mind {self.projections} floor {count}"
        return real.once(key, lambda: self._distance(real.others[:count] @ axes.T, real, axes))


def directions(count: int, width: int) -> Tensor:
    """Random unit vectors (count, width) from a fixed seed, in float64."""
    normal = torch.randn(count, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return normal / normal.norm(dim=1, keepdim=True)


def transport(x: Tensor, y: Tensor) -> Tensor:
    """The squared Wasserstein-2 distance (M,) between each column of x (N, M) and of y (N', M), both sorted.

    It is the integral of (Qx - Qy)^2 over the quantile functions, which are constant between the multiples of 1 / N and
    of 1 / N'. For N = N' that is the mean of (x_j - y_j)^2; for others nothing is subsampled.
    """
    n, m = len(x), len(y)
    edges = torch.cat((torch.arange(n + 1) * m, torch.arange(1, m) * n)).unique()  # in units of 1 / (n m), sorted
    weights = edges.diff().double() / (n * m)
    of_x, of_y = edges[:-1] // m, edges[:-1] // n
    pairs = zip(x.split(CHUNK, dim=1), y.split(CHUNK, dim=1), strict=True)
    return torch.cat([weights @ (a[of_x] - b[of_y]).square() for a, b in pairs])
