"""Distributions of images whose noised versions have a closed form: ground truth for samplers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from math import atan2, hypot, log, pi
from typing import NamedTuple

import torch
from torch import Tensor

from samplerbench.methods import Path

PRECISION = 1e-13  # tolerances of flows that have no closed form; those of 1e-11 differ from it by 1e-8


class Moments(NamedTuple):
    """The exact mean (D,) and covariance (D, D) of a distribution, float64."""

    mean: Tensor
    covariance: Tensor


class Distribution(ABC):
    """Images as vectors x0 (B, D), and the optimal prediction for x = alpha x0 + sigma eps.

    settled: the ratio sigma / alpha below which the posterior mean of x0 is constant along the flow.
    """

    settled: float = 0.0

    @abstractmethod
    def posterior(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """E[x0 | x] and E[eps | x], both (B, D), for x (B, D); alpha and sigma broadcast to (B, 1)."""

    def log_density(self, x: Tensor) -> Tensor | None:
        """log p(x0) of x0 (B, D), in nats: (B,); None for a distribution without a density."""
        return None

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Independent draws (count, D) in float64."""

    @property
    @abstractmethod
    def moments(self) -> Moments:
        """The exact mean and covariance."""

    def flow(self, x: Tensor, path: Path, start: float = 1.0, end: float = 0.0) -> Tensor:
        """The probability-flow ODE's solution from x (B, D) at time `start` to time `end`, to about 1e-10.

        Every Gaussian path is the circle x = cos(u) x0 + sin(u) eps up to its scale (arXiv 2206.00364, section 2), on
        which dx/du = cos(u) E[eps | x] - sin(u) E[x0 | x] is smooth from noise to data.
        """
        from torchdiffeq import odeint  # 0.6 s, as it imports scipy.integrate

        now, then = path.along(torch.tensor([start, end], dtype=torch.float64))
        first, last = atan2(now.sigma, now.alpha), atan2(then.sigma, then.alpha)

        def slope(u: Tensor, x: Tensor) -> Tensor:
            x0, eps = self.posterior(x, u.cos(), u.sin())
            return u.cos() * eps - u.sin() * x0

        angles = torch.tensor([first, max(last, min(first, self.settled))], dtype=torch.float64)
        x = odeint(slope, x / hypot(now.alpha, now.sigma), angles, rtol=PRECISION, atol=PRECISION, method="dopri8")[-1]
        if last < angles[1]:
            x0, eps = self.posterior(x, angles[1].cos(), angles[1].sin())
            x = torch.tensor(last).cos() * x0 + torch.tensor(last).sin() * eps
        return hypot(then.alpha, then.sigma) * x


@dataclass(frozen=True, eq=False)
class GaussianMixture(Distribution):
    """Gaussians with equal weights: means (K, D); axes (K, D, D), the eigenvectors of the covariances as columns."""

    means: Tensor
    axes: Tensor
    variances: Tensor  # (K, D)

    @cached_property
    def _centres(self) -> Tensor:
        """The means in the eigenbases of their covariances: (K, 1, D)."""
        return self.means[:, None] @ self.axes

    def log_density(self, x):
        z = x @ self.axes - self._centres  # (K, B, D)
        logs = -(z.square() / self.variances[:, None] + (2 * pi * self.variances[:, None]).log()).sum(2) / 2
        return logs.logsumexp(0) - log(len(self.means))

    def posterior(self, x, alpha, sigma):
        variances = self.variances[:, None]
        total = alpha**2 * variances + sigma**2  # (K, B or 1, D)
        z = (x @ self.axes - alpha * self._centres) / total
        shares = (-(z.square() * total + total.log()).sum(2) / 2).softmax(0)[..., None]
        x0 = (shares * (self.means[:, None] + (alpha * variances * z) @ self.axes.mT)).sum(0)
        return x0, (shares * ((sigma * z) @ self.axes.mT)).sum(0)

    def draw(self, count, generator):
        chosen = torch.randint(len(self.means), (count,), generator=generator)
        z = torch.randn(count, self.means.shape[1], generator=generator, dtype=torch.float64)
        scaled = z * self.variances[chosen].sqrt()
        return self.means[chosen] + torch.einsum("bde,be->bd", self.axes[chosen], scaled)

    @property
    def moments(self):
        mean = self.means.mean(0)
        within = (self.axes * self.variances[:, None]) @ self.axes.mT
        apart = self.means - mean
        return Moments(mean, within.mean(0) + apart.T @ apart / len(self.means))


@dataclass(frozen=True, eq=False)
class Gaussian(GaussianMixture):
    """One Gaussian: its flow scales each axis by the ratio of the standard deviations."""

    def flow(self, x, path, start=1.0, end=0.0):
        now, then = path.along(torch.tensor([start, end], dtype=torch.float64))
        before, after = (moment.alpha**2 * self.variances[0] + moment.sigma**2 for moment in (now, then))
        along = (x - now.alpha * self.means[0]) @ self.axes[0] * (after / before).sqrt()
        return then.alpha * self.means[0] + along @ self.axes[0].T


@dataclass(frozen=True, eq=False)
class Empirical(Distribution):
    """A finite set of equally likely images (N, D): the optimal network memorises them."""

    images: Tensor

    settled = 1e-3

    def posterior(self, x, alpha, sigma):
        sigma = sigma.clamp(min=1e-9)  # at sigma = 0 only eps is undefined; it has no weight there
        closeness = alpha * (x @ self.images.T) - alpha**2 * self.images.square().sum(1) / 2  # |x|^2 is in all of them
        x0 = (closeness / sigma**2).softmax(1) @ self.images
        return x0, (x - alpha * x0) / sigma

    def draw(self, count, generator):
        return self.images[torch.randint(len(self.images), (count,), generator=generator)]

    @property
    def moments(self):
        centred = self.images - self.images.mean(0)
        return Moments(self.images.mean(0), centred.T @ centred / len(self.images))


def cosines(size: int) -> Tensor:
    """The orthonormal two-dimensional cosine basis of images of size x size, as columns (D, D), slow ones first."""
    place = torch.arange(size, dtype=torch.float64)
    rows = ((place + 0.5) * place[:, None] * pi / size).cos()
    rows = rows / rows.norm(dim=1, keepdim=True)
    both = torch.einsum("ix,jy->ijxy", rows, rows).flatten(2).flatten(0, 1)
    order = (place[:, None] + place).flatten().argsort(stable=True)
    return both[order].T
