"""Distributions whose optimal network is known in closed form: the truth that samplers and guidances are held against.

They are independent of `samplerbench.data.distributions`, so that an error there cannot hide itself.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from samplerbench.methods import Field, Moment, Path, Target, weights


class Exact(ABC):
    """Images (B, C, H, W) with an exact posterior. They lie in [-1, 1], so that clipping leaves them alone."""

    @abstractmethod
    def posterior(self, x: Tensor, now: Moment, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """E[x0 | x] and E[eps | x], in the shape of x (B, C, H, W)."""

    def field(self, path: Path, target: Target = "eps", label: Tensor | None = None, interval: bool = False) -> Field:
        """The optimal network, read as `target`; it ignores the end of an interval."""

        def net(x: Tensor, t: Tensor, label: Tensor | None = None, s: Tensor | None = None) -> Tensor:
            now = path.at(t[:1] if (t == t[0]).all() else t)  # one time for all images is faster
            x0, eps = self.posterior(x, now, label)
            a, b = weights(target, now)
            return a * x0 + b * eps

        return Field(net, path, target, label, interval)


@dataclass(frozen=True)
class Gaussian(Exact):
    """x0 ~ N(mean, std^2), independent pixels. mean, std: (1, C, H, W)."""

    mean: Tensor
    std: Tensor

    def posterior(self, x, now, label=None):
        return _gaussian_posterior(self.mean, self.std, x, now)


@dataclass(frozen=True)
class Mixture(Exact):
    """Independent pixels, each from two Gaussians with equal weights: its flow is not linear.

    mean, std: (2, 1, C, H, W).
    """

    mean: Tensor
    std: Tensor

    def posterior(self, x, now, label=None):
        total = ((now.alpha * self.std) ** 2 + now.sigma**2).sqrt()
        z = (x - now.alpha * self.mean) / total
        shares = torch.softmax(-z.square() / 2 - total.log(), dim=0)
        x0, eps = _gaussian_posterior(self.mean, self.std, x, now)
        return (shares * x0).sum(0), (shares * eps).sum(0)

    def flow(self, path: Path, x: Tensor, start: float, end: float) -> Tensor:
        """The probability-flow ODE's solution at time `end` from x (B, C, H, W) at time `start`.

        In one dimension the flow keeps quantiles, which are inverted here by bisection.
        """
        now, then = path.along(torch.tensor([start, end], dtype=torch.float64))
        quantile, reached = self._cumulative(now, x), torch.full_like(x, -10)
        for width in [10 / 2**i for i in range(60)]:
            reached = torch.where(self._cumulative(then, reached + width) < quantile, reached + width, reached)
        return reached

    def _cumulative(self, now: Moment, x: Tensor) -> Tensor:
        total = ((now.alpha * self.std) ** 2 + now.sigma**2).sqrt()
        return torch.special.ndtr((x - now.alpha * self.mean) / total).mean(0)


@dataclass(frozen=True)
class TwoClasses(Exact):
    """x0 ~ N(mean_y, std_y^2), y one of two equally likely classes. mean, std: (2, 1, C, H, W)."""

    mean: Tensor
    std: Tensor

    def posterior(self, x, now, label=None):
        x0, eps = _gaussian_posterior(self.mean, self.std, x, now)
        log_p = self._log_joint(x, now.alpha, now.sigma)
        chosen = torch.softmax(log_p, 1) if label is None else torch.eye(2, dtype=x.dtype)[label]
        return torch.einsum("by,ybchw->bchw", chosen, x0), torch.einsum("by,ybchw->bchw", chosen, eps)

    def classifier(self, x: Tensor, log_snr: Tensor) -> Tensor:
        """The optimal classifier of noisy images x / sqrt(alpha^2 + sigma^2): logits (B, 2)."""
        alpha, sigma = (torch.sigmoid(sign * log_snr).sqrt().view(-1, 1, 1, 1) for sign in (1, -1))
        return self._log_joint(x, alpha, sigma)

    def _log_joint(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """log p(x, y) up to a constant: (B, 2)."""
        variance = (alpha * self.std) ** 2 + sigma**2
        return (-((x - alpha * self.mean) ** 2) / variance / 2 - variance.log() / 2).flatten(2).sum(2).T


def _gaussian_posterior(mean: Tensor, std: Tensor, x: Tensor, now: Moment) -> tuple[Tensor, Tensor]:
    variance = (now.alpha * std) ** 2 + now.sigma**2
    z = (x - now.alpha * mean) / variance
    return mean + now.alpha * std**2 * z, now.sigma * z


def _drawn(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gaussian() -> Gaussian:
    """Images of 4x4 with another mean and standard deviation at every pixel."""
    mean, std = _drawn(2, 1, 1, 4, 4)
    return Gaussian(0.4 * (mean - 0.5), 0.18 + 0.12 * std)


def mixture() -> Mixture:
    """Images of 4x4 whose pixels have two modes, apart enough to bend the flow."""
    mean, std = _drawn(2, 2, 1, 1, 4, 4)
    sign = torch.tensor([-1.0, 1.0], dtype=torch.float64).view(2, 1, 1, 1, 1)
    return Mixture(sign * (0.25 + 0.3 * mean), 0.2 + 0.2 * std)


def two_classes(spread: float = 1.0) -> TwoClasses:
    """Images of 2x2 in two overlapping classes; `spread` multiplies the standard deviations."""
    mean, std = _drawn(2, 2, 1, 1, 2, 2)
    return TwoClasses(mean - 0.5, spread * (0.15 + 0.2 * std))


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
