"""Frechet distances: FID, and its extrapolation to infinitely many samples."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor

from samplerbench.methods import Between
from samplerbench.metrics.accumulators import Collect, StreamingStatistics
from samplerbench.metrics.base import METRICS, ImageMetric
from samplerbench.metrics.column import BLOCKS, Column
from samplerbench.metrics.frechet import Statistics
from samplerbench.metrics.reference import RealFeatures


@METRICS.register("fid")
@dataclass(frozen=True)
class FID(ImageMetric):
    """Frechet distance to the reference (arXiv 1706.08500), with its floor, the floor's spread, and its ceiling."""

    needs_reference_images = False
    columns: ClassVar = (
        Column(
            "fid", "FID", "lower", extractor=True, label_exact="Frechet distance", spread=BLOCKS,
            floor="fid_floor", floor_spread="fid_floor_sd", ceiling="fid_ceiling",
            meaning="**{label}**: Frechet distance between {samples} generated and {reference_images} reference images "
            "in the feature space of `{extractor}`. Comparable only under the same protocol (`{protocol}`).",
            meaning_exact="**{label}**: squared Frechet distance between the mean and covariance of {samples} samples "
            "and the exact ones of the data, in pixel space. Comparable only under the same protocol (`{protocol}`).",
        ),
        Column(
            "fid_floor",
            meaning="**real images**: the floor, i.e. the score of {floor_images} real images against the same "
            "reference. It is a single draw, so a sampler can fall slightly below it.",
        ),
        Column(
            "fid_floor_sd",
            meaning="**±** of the floor: its estimated standard deviation over draws of real images.",
        ),
        Column("fid_ceiling", meaning="**noise**: the ceiling, i.e. the score of {samples} images of pure noise."),
    )  # fmt: skip

    def accumulator(self, real):
        return frechet("fid", real)


def frechet(name: str, real: RealFeatures) -> StreamingStatistics:
    """The Frechet distance to the real images, in the column `name`, with its floor, the floor's spread and ceiling."""

    def score(samples: Statistics) -> dict[str, float]:
        return {
            name: real.distance(samples),
            f"{name}_floor": real.floor(samples.count),
            f"{name}_floor_sd": real.floor_sd(samples.count),
            f"{name}_ceiling": real.ceiling(samples.count),
        }

    return StreamingStatistics(real.width, score)


@METRICS.register("fid_inf")
@dataclass(frozen=True)
class FIDInfinity(ImageMetric):
    """FID against 1/N, fitted by least squares over random subsets of N/4 to N samples, at 1/N = 0 (arXiv 1911.07023).

    It removes the bias of a finite number of samples, not that of a finite reference. The smallest subset must
    outnumber the features: below that the distance is not linear in 1/N.
    """

    sizes: Annotated[int, Between(3, 50)] = 8

    needs_reference_images = False
    columns: ClassVar = (
        Column(
            "fid_inf", "FID∞", "lower", extractor=True,
            meaning="**{label}**: the same distance extrapolated to infinitely many samples, for this reference.",
        ),
    )  # fmt: skip

    def accumulator(self, real):
        def score(features: Tensor) -> dict[str, float]:
            generator = torch.Generator().manual_seed(0)
            counts = np.linspace(len(features) / 4, len(features), self.sizes).round().astype(int)
            subsets = (features[torch.randperm(len(features), generator=generator)[:count]] for count in counts)
            distances = [real.frechet(subset) for subset in subsets]
            return {"fid_inf": float(np.polyfit(1 / counts, distances, 1)[1])}

        return Collect(score)

    def min_samples(self, width):
        return 4 * (width + 1)
