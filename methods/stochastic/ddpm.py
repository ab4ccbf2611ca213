"""Denoising diffusion: ancestral sampling, and the training recipe (arXiv 2006.11239)."""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Literal

import torch

from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import DiscreteVP, posterior_std
from samplerbench.methods.core.recipe import Denoising, uniform
from samplerbench.methods.core.registry import register


@register("ddpm")
@dataclass(frozen=True)
class DDPMRecipe(Denoising):
    """|| eps(x_t, t) - eps ||^2 with t uniform over the T timesteps (eq. 14)."""

    path = DiscreteVP()
    target = "eps"

    def times(self, noise, x0):
        return (uniform(noise, x0) * self.path.timesteps).ceil() / self.path.timesteps


@register("ddpm")
@dataclass(frozen=True)
class DDPM(Method):
    r"""x_s ~ N(posterior mean of x_s given x_t and x0, posterior variance), respaced to any grid (eq. 6, 7).

    With r = alpha_t / alpha_s and beta = sigma_t^2 - r^2 sigma_s^2, the mean is (r sigma_s^2 x_t + alpha_s beta x0) /
    sigma_t^2, and the variance beta sigma_s^2 / sigma_t^2 (small) or beta (large). clip: clip x0 to [-1, 1]. The last
    step adds no noise. One evaluation per step.
    """

    variance: Literal["small", "large"] = "small"
    clip: bool = True

    recipe = "ddpm"
    reference = "arXiv 2006.11239"

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            p = field(x, now)
            x0 = p.clipped().x0 if self.clip else p.x0
            r = now.alpha / then.alpha
            beta = now.sigma**2 - (r * then.sigma) ** 2
            x = combination((r * then.sigma**2 / now.sigma**2, then.alpha * beta / now.sigma**2), (x, x0))
            if then.t > 0:
                x = torch.add(x, noise(x), alpha=sqrt(beta) if self.variance == "large" else posterior_std(now, then))
            yield x
