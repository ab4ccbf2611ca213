"""How EDM-type networks are scaled: D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) (arXiv 2206.00364, table 1)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn

from samplerbench.models.research.config import Config, Range
from samplerbench.models.research.edm_layers import ExactBuffers

Level = Annotated[float, Range(1e-6, 1e6)]
Steps = Annotated[int, Range(2, 100_000)]


class Coefficients(NamedTuple):
    """Each of the shape of sigma."""

    skip: Tensor | float
    out: Tensor
    scale: Tensor | float  # c_in
    noise: Tensor  # c_noise


@dataclass(frozen=True)
class Precondition(Config, ABC):
    """A preconditioning. sigma_min, sigma_max: the noise levels to sample between."""

    sigma_min: Level = 0.002
    sigma_max: Level = 80.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sigma_min >= self.sigma_max:
            raise ValueError(f"sigma_min, {self.sigma_min}, is not below sigma_max, {self.sigma_max}")

    @abstractmethod
    def coefficients(self, sigma: Tensor, levels: Tensor | None) -> Coefficients:
        """At noise levels sigma (B,). levels: those of a chain, from high to low, if there is one."""


@dataclass(frozen=True)
class EDMPrecond(Precondition):
    """EDM's own. sigma_data: the standard deviation of the data."""

    sigma_data: Level = 0.5

    def coefficients(self, sigma, levels):
        total = sigma**2 + self.sigma_data**2
        out = sigma * self.sigma_data * total.rsqrt()
        return Coefficients(self.sigma_data**2 / total, out, total.rsqrt(), sigma.log() / 4)


@dataclass(frozen=True)
class VPPrecond(Precondition):
    """That of the variance-preserving SDE, sigma(t)^2 = exp(beta_d t^2 / 2 + beta_min t) - 1."""

    beta_d: Annotated[float, Range(1e-3, 1e3)] = 19.9
    beta_min: Annotated[float, Range(1e-6, 1e3)] = 0.1
    M: Steps = 1000

    def coefficients(self, sigma, levels):
        time = ((self.beta_min**2 + 2 * self.beta_d * torch.log1p(sigma**2)).sqrt() - self.beta_min) / self.beta_d
        return Coefficients(1.0, -sigma, (sigma**2 + 1).rsqrt(), (self.M - 1) * time)


@dataclass(frozen=True)
class VEPrecond(Precondition):
    """That of the variance-exploding SDE."""

    def coefficients(self, sigma, levels):
        return Coefficients(1.0, sigma, 1.0, (sigma / 2).log())


@dataclass(frozen=True)
class IDDPMPrecond(Precondition):
    """That of iDDPM: the network is told the index of the nearest level of its chain."""

    M: Steps = 1000

    def coefficients(self, sigma, levels):
        index = (sigma[:, None] - levels.to(sigma)).abs().argmin(1)
        return Coefficients(1.0, -sigma, (sigma**2 + 1).rsqrt(), (self.M - 1 - index).to(sigma.dtype))


class Preconditioned(ExactBuffers):
    """A network as a denoiser: forward(x, sigma, label) -> the mean of the images, all in float32 but the network.

    u: the levels of iDDPM's chain (M + 1,), which its checkpoint holds.
    """

    u: Tensor | None

    def __init__(self, model: nn.Module, precondition: Precondition):
        super().__init__()
        self.model, self.precondition = model, precondition
        levels = precondition.M + 1 if isinstance(precondition, IDDPMPrecond) else 0
        self.register_buffer("u", torch.empty(levels) if levels else None)

    def forward(self, x: Tensor, sigma: Tensor, label: Tensor | None = None) -> Tensor:
        """x (B, C, H, W), sigma (B,), label (B, label_dim) or None -> (B, C, H, W)."""
        c = self.precondition.coefficients(sigma.double(), self.u)
        skip, out, scale = (_per_image(each, x) for each in (c.skip, c.out, c.scale))
        predicted = self.model(scale * x, c.noise.float(), label)[:, : x.shape[1]]
        return skip * x + out * predicted


def _per_image(coefficient: Tensor | float, x: Tensor) -> Tensor | float:
    return coefficient.to(x.dtype).view(-1, 1, 1, 1) if isinstance(coefficient, Tensor) else coefficient
