"""Predictor-corrector and ancestral sampling of the variance-exploding SDE (arXiv 2011.13456)."""

from abc import ABC
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Annotated, Literal

import torch
from torch import Tensor

from samplerbench.methods.core.coordinates import has_signal, noise_ratio
from samplerbench.methods.core.field import Field, combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import Moment, posterior_std
from samplerbench.methods.core.plugin import Between, SpecError
from samplerbench.methods.core.recipe import Noise
from samplerbench.methods.core.registry import register


@dataclass(frozen=True)
class VarianceExploding(Method, ABC):
    """A sampler of the VE SDE, run on x / alpha, which turns every Gaussian path into a variance-exploding one."""

    variance: Literal["small", "large"] = "small"

    recipe = "ddpm"
    grid = "logsnr"
    reference = "arXiv 2011.13456"

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = field(x, now).mix(then.alpha, then.sigma**2 * now.alpha / (then.alpha * now.sigma))
            if then.t > 0:
                x = torch.add(x, noise(x), alpha=self._std(now, then))
                x = self.correct(field, x, then, noise)
            yield x

    def _std(self, now, then):
        if self.variance == "small":
            return posterior_std(now, then)
        if not has_signal(now):
            raise SpecError(f"{self.name}: this variance is infinite where there is no signal; use variance=small.")
        return then.alpha * sqrt(noise_ratio(now) ** 2 - noise_ratio(then) ** 2)

    def correct(self, field: Field, x: Tensor, now: Moment, noise: Noise) -> Tensor:
        """The state (B, C, H, W) after any corrector steps at the moment `now`."""
        return x


@register("ancestral")
@dataclass(frozen=True)
class Ancestral(VarianceExploding):
    r"""x' = x + (sigma^2 - sigma'^2) score + tau z,  tau^2 = sigma'^2 (sigma^2 - sigma'^2) / sigma^2 (eq. 47).

    In the frame x / alpha of the VE SDE, where sigma is the noise level. variance: tau^2 as above (small), or
    sigma^2 - sigma'^2, the reverse diffusion sampler (large). The last step adds no noise. One evaluation per step.
    """


@register("pc")
@dataclass(frozen=True)
class PC(VarianceExploding):
    r"""A step of `ancestral`, then `corrections` times x + e score + sqrt(2 e) z,  e = 2 (snr |z|/|score|)^2 (alg. 4).

    In the frame x / alpha of the VE SDE. The paper averages the norms over the batch, which makes images depend on
    their batch. norms: their values for pure noise, e = 2 (snr sigma)^2 (expected), or those of each image (image),
    which biases small images. The last step is not corrected. 1 + `corrections` evaluations per step.
    """

    snr: Annotated[float, Between(0, 1)] = 0.16
    corrections: Annotated[int, Between(0, 100)] = 1
    norms: Literal["expected", "image"] = "expected"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.corrections and (self.snr, self.norms) != (0.16, "expected"):
            raise SpecError(f"{self.name}: snr and norms have no effect without corrections; leave them out.")

    def correct(self, field, x, now, noise):
        for _ in range(self.corrections):
            eps, z, r = field(x, now).eps, noise(x), self.snr
            if self.norms == "image":
                # With the ratio of the norms in z and in eps, the coefficients below stay Python floats.
                ratio = (z.flatten(1).norm(dim=1) / eps.flatten(1).norm(dim=1)).view(-1, 1, 1, 1)
                eps, z = ratio**2 * eps, ratio * z
            x = combination((1, 2 * now.sigma * r, -2 * now.sigma * r**2), (x, z, eps))
        return x
