"""The Frechet distance between two sets of features: streaming statistics, and a reference with a cached root."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

CHUNK = 4096  # features of which a centred copy is made at once
PANEL = 256  # columns of the scatter that are added to at once


class Statistics:
    """Count, mean (D,) and covariance (D, D) of features, in float64, in memory that does not grow with their number.

    Batches and other statistics are merged by their differences in mean (Chan, Golub and LeVeque 1979), so that nothing
    cancels however far from zero the features lie.
    """

    def __init__(self, width: int):
        self.count = 0
        self.mean = torch.zeros(width, dtype=torch.float64)
        # The sum of (x - mean)(x - mean)^T. It is symmetric: only what lies on or below its diagonal is up to date.
        self._scatter = torch.zeros(width, width, dtype=torch.float64)

    @classmethod
    def of(cls, features: Tensor) -> "Statistics":
        """The statistics of features (N, D)."""
        statistics = cls(features.shape[1])
        for chunk in features.split(CHUNK):
            statistics.update(chunk)
        return statistics

    @classmethod
    def known(cls, mean: Tensor, covariance: Tensor) -> "Statistics":
        """The statistics of a distribution with this mean (D,) and covariance (D, D)."""
        statistics = cls(len(mean))
        statistics.count = 2  # so that the covariance is the scatter
        statistics.mean, statistics._scatter = mean.clone(), covariance.clone()
        return statistics

    def update(self, features: Tensor) -> None:
        """Add features (B, D)."""
        if len(features) == 0:
            return
        features = features.double()
        mean = features.mean(0)
        centred = features - mean
        self._move(len(features), mean)
        for start in range(0, len(mean), PANEL):
            panel = slice(start, start + PANEL)
            self._scatter[start:, panel].addmm_(centred[:, start:].T, centred[:, panel])

    def merge(self, other: "Statistics") -> None:
        """Add the features that another instance was updated with."""
        if other.count:
            self._move(other.count, other.mean)
            self._scatter += other._scatter

    def _move(self, count: int, mean: Tensor) -> None:
        """Take in `count` features as if all of them lay at their `mean` (D,)."""
        total = self.count + count
        step = mean - self.mean
        self._scatter.addr_(step, step * (self.count * count / total))
        self.mean = self.mean + step * (count / total)
        self.count = total

    @property
    def covariance(self) -> Tensor:
        """The unbiased covariance (D, D), as `np.cov`. Raises ValueError for fewer than two features."""
        if self.count < 2:
            raise ValueError(f"A covariance needs at least two features, not {self.count}.")
        below = self._scatter.tril(-1)
        return (below + below.T + self._scatter.diagonal().diag()) / (self.count - 1)


@dataclass(frozen=True)
class Reference:
    """The statistics that samples are compared with, and a root of their covariance, computed once."""

    statistics: Statistics

    @cached_property
    def _root(self) -> Tensor:
        """R (D, rank) with R R^T = covariance: Cholesky's, unless that is singular up to rounding."""
        covariance = self.statistics.covariance
        rounding = len(covariance) * torch.finfo(covariance.dtype).eps
        root, failed = torch.linalg.cholesky_ex(covariance)
        if not failed and root.diagonal().min().square() > rounding * covariance.trace():
            return root
        values, vectors = torch.linalg.eigh(covariance)  # fifty times the time of Cholesky's
        kept = values > values[-1] * rounding
        return vectors[:, kept] * values[kept].sqrt()

    def distance(self, samples: Statistics) -> float:
        """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2), the squared Frechet distance of two Gaussians (arXiv 1706.08500).

        C1 C2 has the eigenvalues of R^T C2 R, which is symmetric: solving that takes a third of the time of
        torch-fidelity's solver on the product, and leaves no imaginary parts to discard.
        """
        covariance, ours = samples.covariance, self.statistics
        eigenvalues = torch.linalg.eigvalsh(self._root.T @ covariance @ self._root)
        means = (samples.mean - ours.mean).square().sum()
        traces = covariance.trace() + ours.covariance.trace()
        return (means + traces - 2 * eigenvalues.clamp(min=0).sqrt().sum()).item()
