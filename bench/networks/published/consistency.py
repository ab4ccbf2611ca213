"""Consistency models: the UNet2DModel of a ConsistencyModelPipeline (arXiv 2303.01469, appendix C)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import torch
from torch import Tensor, nn

from samplerbench.errors import InputError
from samplerbench.methods import Path
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.published.folder import component, load_module
from samplerbench.networks.published.unet import Called, state_shape


@dataclass(frozen=True)
class KarrasNoise(Path):
    """x = x0 + sqrt(s^2 - s_min^2) eps, s = (s_min^(1/rho) + t (s_max^(1/rho) - s_min^(1/rho)))^rho.

    The network is told s. Index i of n timesteps is t = 1 - i / (n - 1).
    """

    low: float = 0.002
    high: float = 80.0
    rho: float = 7.0

    @property
    def prior_std(self) -> float:
        return (self.high**2 - self.low**2) ** 0.5

    def level(self, t: Tensor) -> Tensor:
        """s at times t."""
        first, last = self.low ** (1 / self.rho), self.high ** (1 / self.rho)
        return (first + t * (last - first)) ** self.rho

    def coefficients(self, t):
        first, last = self.low ** (1 / self.rho), self.high ** (1 / self.rho)
        root = first + t * (last - first)
        level, slope = root**self.rho, self.rho * root ** (self.rho - 1) * (last - first)
        sigma = (level**2 - self.low**2).clamp(min=0).sqrt()
        return torch.ones_like(t), sigma, torch.zeros_like(t), level * slope / sigma.clamp(min=1e-12)


class Consistent(nn.Module):
    """c_skip x + c_out F(c_in x, 250 ln s), clipped: the image, which is x itself at s_min."""

    def __init__(self, unet: Called, path: KarrasNoise, data_std: float, clip: bool):
        super().__init__()
        self.unet, self.path, self.data_std, self.clip = unet, path, data_std, clip

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """The images (B, C, H, W) of states x at times t (B,)."""
        s, square = self.path.level(t.double()), self.data_std**2
        skip = square / ((s - self.path.low) ** 2 + square)
        out = (s - self.path.low) * self.data_std / (s**2 + square).sqrt()
        scale = 1 / (s**2 + square).sqrt()
        skip, out, scale = (each.to(x.dtype).view(-1, 1, 1, 1) for each in (skip, out, scale))
        image = skip * x + out * self.unet(scale * x, (250 * s.log()).float(), label)
        return image.clamp(-1, 1) if self.clip else image


def consistency_record(folder: File, scheduler: Mapping[str, Any]) -> ExternalNetwork:
    """The record of a consistency model with the configuration of its CMStochasticIterativeScheduler."""
    from diffusers import UNet2DModel

    low, high, data_std, rho = (
        _positive(scheduler, key, default)
        for key, default in (("sigma_min", 0.002), ("sigma_max", 80.0), ("sigma_data", 0.5), ("rho", 7.0))
    )
    if low >= high:
        raise InputError(f"sigma_min of the scheduler must be below sigma_max, but {low} is not below {high}.")
    unet = load_module(UNet2DModel, component(folder, "unet"))
    path = KarrasNoise(low, high, rho)
    net = Consistent(Called(unet), path, data_std, bool(scheduler.get("clip_denoised", True)))
    return ExternalNetwork(
        net, path, "x0", state_shape(unet.config), classes=unet.config.num_class_embeds or 0, distilled=True
    )


def _positive(config: Mapping[str, Any], key: str, default: float) -> float:
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise InputError(f"{key} of the scheduler must be a positive number, not {value!r}.")
    return float(value)
