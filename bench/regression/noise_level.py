"""How much a measured field varies between runs of the same code, and which slowdown that hides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from samplerbench.regression.field import CONFIDENCE
from samplerbench.statistics import quantile, trimmed

POWER = 0.8  # the probability of detecting a slowdown of the reported size


@dataclass(frozen=True)
class NoiseLevel:
    """The variation of a field between runs of the same code.

    values: the trimmed mean of each run. spread: their standard deviation, relative to their mean.
    worst: the largest change from one run to the next, relative to the mean.
    detectable: the relative slowdown that the 99 % bound detects in 80 of 100 comparisons of two such runs.
    """

    field: str
    values: tuple[float, ...]
    spread: float
    worst: float
    detectable: float


def noise_level(field: str, runs: Sequence[Sequence[float]]) -> NoiseLevel:
    """The noise level of a field from its samples in each of at least two runs."""
    values = np.array([trimmed(samples).mean for samples in runs])
    freedom = len(values) - 1
    spread = values.std(ddof=1) / values.mean()
    worst = np.abs(np.diff(values)).max() / values.mean()
    detectable = (quantile(CONFIDENCE, freedom) + quantile(POWER, freedom)) * spread * 2**0.5
    return NoiseLevel(field, tuple(values.tolist()), float(spread), float(worst), float(detectable))
