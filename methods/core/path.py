"""Noise paths: x_t = alpha_t x0 + sigma_t eps, from data at t = 0 to noise at t = 1."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import log, log1p, pi, sqrt, tan
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

# A Python float in sampling, a tensor (B, 1, 1, 1) in training. A union would make every formula narrow it first.
Coefficient = Any


class Moment(NamedTuple):
    """One time on a path: t, alpha, sigma and their derivatives in t."""

    t: Coefficient
    alpha: Coefficient
    sigma: Coefficient
    d_alpha: Coefficient
    d_sigma: Coefficient


class Path(ABC):
    """A noise path. A subclass defines the coefficients; everything else follows from them."""

    t_min: float = 1e-3  # the smallest nonzero time of grids spaced in noise level
    t_max: float = 1.0  # the largest time with a finite log-SNR

    @property
    def prior_std(self) -> float:
        """The standard deviation of the initial state of sampling."""
        return 1.0

    @abstractmethod
    def coefficients(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(alpha, sigma, d alpha/dt, d sigma/dt) at times t; all are float64 tensors of one shape, which may be any."""

    def along(self, times: Tensor) -> list[Moment]:
        """The moments at the times of a grid (n + 1,), as Python floats, computed in float64 in one call."""
        times = times.detach().to("cpu", torch.float64)
        return [Moment(*row) for row in torch.stack((times, *self.coefficients(times)), dim=1).tolist()]

    def at(self, t: Tensor) -> Moment:
        """The moment at one time per image, t (B,), as tensors (B, 1, 1, 1) in the dtype of t."""
        values = (t, *self.coefficients(t.double()))
        return Moment(*(value.to(t.dtype).view(-1, 1, 1, 1) for value in values))

    def mix(self, x0: Tensor, eps: Tensor, moment: Moment) -> Tensor:
        """x_t = alpha x0 + sigma eps (B, C, H, W), for images x0 and noise eps of that shape."""
        return moment.alpha * x0 + moment.sigma * eps

    def log_snr(self, t: Tensor) -> Tensor:
        """log(alpha^2 / sigma^2) at times t of any shape; it decreases in t."""
        alpha, sigma, *_ = self.coefficients(t.double())
        return 2 * (alpha / sigma).log()

    def time_at(self, log_snr: Tensor) -> Tensor:
        """The inverse of `log_snr`, for any shape, by bisection to float64 precision."""
        low, high = torch.zeros_like(log_snr, dtype=torch.float64), torch.ones_like(log_snr, dtype=torch.float64)
        for _ in range(60):
            middle = (low + high) / 2
            cleaner = self.log_snr(middle) > log_snr
            low, high = torch.where(cleaner, middle, low), torch.where(cleaner, high, middle)
        return (low + high) / 2


def _variance_preserving(log_alpha: Tensor, d_log_alpha: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The coefficients with alpha^2 + sigma^2 = 1; sigma is accurate even where alpha is close to 1."""
    alpha = log_alpha.exp()
    sigma = (-torch.expm1(2 * log_alpha)).sqrt()
    d_alpha = alpha * d_log_alpha
    return alpha, sigma, d_alpha, -alpha * d_alpha / sigma


def moments_of_log_snr(log_snr: Tensor, d_log_snr: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(alpha, sigma, d alpha/dt, d sigma/dt) with alpha^2 + sigma^2 = 1, from a log-SNR and its derivative in t."""
    square = torch.sigmoid(log_snr)  # alpha^2
    alpha, sigma = square.sqrt(), torch.sigmoid(-log_snr).sqrt()
    return alpha, sigma, alpha * sigma**2 * d_log_snr / 2, -sigma * square * d_log_snr / 2


@dataclass(frozen=True)
class DiscreteVP(Path):
    r"""DDPM's chain of T steps, with beta_n linear in n from `beta_min` to `beta_max` (arXiv 2006.11239, section 4).

    Timestep n = 1 ... T is t = n / T. Because the betas are linear in n, abar_n = prod (1 - beta_i) is a ratio of Gamma
    functions, delta^n Gamma(z) / Gamma(z - n), which equals the product at every timestep and is smooth in between. We
    expand log Gamma in Stirling's series, whose next term is below 1e-16 here, and arrange it to avoid cancellation.
    """

    timesteps: int = 1000
    beta_min: float = 1e-4
    beta_max: float = 0.02

    def coefficients(self, t):
        log_abar, d_log_abar = self._log_abar(t)
        return _variance_preserving(log_abar / 2, d_log_abar / 2)

    def time_at(self, log_snr):
        """By Newton's method on log abar, which is nearly a parabola in t, starting from the root of that parabola."""
        log_abar = -softplus(-log_snr.double())
        rate, growth = self.timesteps * self.beta_min, self.timesteps * (self.beta_max - self.beta_min)
        t = (((rate**2 - 2 * growth * log_abar).sqrt() - rate) / growth).clamp(0, 1)
        for _ in range(4):
            value, slope = self._log_abar(t)
            t = (t - (value - log_abar) / slope).clamp(0, 1)
        return t

    def _log_abar(self, t):
        n = t * self.timesteps
        delta = (self.beta_max - self.beta_min) / (self.timesteps - 1)
        z = (1 - self.beta_min) / delta + 1
        w = z - n
        log_abar = n * log1p(delta - self.beta_min) - (w - 0.5) * torch.log1p(-n / z) - n + (1 / z - 1 / w) / 12
        d_log_abar = torch.log1p(delta - self.beta_min - n * delta) - 1 / (2 * w) - 1 / (12 * w**2)
        return log_abar, d_log_abar * self.timesteps


@dataclass(frozen=True)
class VP(Path):
    """The variance-preserving SDE, beta(t) = beta_min + t (beta_max - beta_min) (arXiv 2011.13456, eq. 33)."""

    beta_min: float = 0.1
    beta_max: float = 20.0

    def coefficients(self, t):
        growth = self.beta_max - self.beta_min
        log_alpha = -growth * t**2 / 4 - self.beta_min * t / 2
        return _variance_preserving(log_alpha, -growth * t / 2 - self.beta_min / 2)


@dataclass(frozen=True)
class SubVP(Path):
    """The sub-VP SDE: alpha as in `VP`, sigma = 1 - alpha^2, the square of VP's sigma (arXiv 2011.13456, eq. 29)."""

    beta_min: float = 0.1
    beta_max: float = 20.0

    def coefficients(self, t):
        alpha, sigma, d_alpha, _ = VP(self.beta_min, self.beta_max).coefficients(t)
        return alpha, sigma**2, d_alpha, -2 * alpha * d_alpha


@dataclass(frozen=True)
class Trigonometric(Path):
    """alpha = cos(pi/2 t), sigma = s sin(pi/2 t), s the standard deviation of the data (arXiv 2410.11081, section 3).

    The state has standard deviation s at all times.
    """

    data_std: float = 0.5
    t_max = 0.999

    @property
    def prior_std(self) -> float:
        return self.data_std

    def coefficients(self, t):
        rate = pi / 2
        cos, sin = (rate * t).cos(), (rate * t).sin()
        return cos, self.data_std * sin, -rate * sin, rate * self.data_std * cos

    def time_at(self, log_snr):
        return 2 / pi * torch.atan(torch.exp(-log_snr.double() / 2) / self.data_std)


@dataclass(frozen=True)
class Cosine(Path):
    """alpha = cos((t + s) / (1 + s) pi/2) / cos(s / (1 + s) pi/2) (arXiv 2102.09672, eq. 17)."""

    s: float = 0.008
    t_max = 0.999

    def coefficients(self, t):
        rate = pi / 2 / (1 + self.s)
        angle = t * rate  # relative to the angle at t = 0, where cos(a + b) / cos(a) = cos b - tan a sin b is exactly 1
        log_alpha = (angle.cos() - tan(self.s * rate) * angle.sin()).log()
        return _variance_preserving(log_alpha, -rate * (angle + self.s * rate).tan())


@dataclass(frozen=True)
class Linear(Path):
    """alpha = 1 - t, sigma = t: rectified flow and conditional optimal transport (arXiv 2209.03003, 2210.02747)."""

    t_max = 0.999

    def coefficients(self, t):
        return 1 - t, t, -torch.ones_like(t), torch.ones_like(t)

    def time_at(self, log_snr):
        return torch.sigmoid(-log_snr.double() / 2)


@dataclass(frozen=True)
class VE(Path):
    """alpha = 1, sigma = sigma_min (sigma_max / sigma_min)^t (arXiv 2011.13456, eq. 30); sigma_min remains at t = 0."""

    sigma_min: float = 0.01
    sigma_max: float = 50.0

    @property
    def prior_std(self) -> float:
        return self.sigma_max

    def coefficients(self, t):
        rate = log(self.sigma_max / self.sigma_min)
        sigma = self.sigma_min * (rate * t).exp()
        return torch.ones_like(t), sigma, torch.zeros_like(t), rate * sigma


def posterior_std(now: Moment, then: Moment) -> float:
    """Standard deviation of q(x_s | x_t, x0): sigma_s / sigma_t * sqrt(sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2)."""
    return then.sigma / now.sigma * sqrt(now.sigma**2 - (now.alpha / then.alpha * then.sigma) ** 2)
