"""Ancestral sampling of denoising diffusion models, and the recipe that trains them (arXiv 2006.11239)."""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Literal

from samplerbench.methods.core.method import Method, Recipe, regression_loss, uniform
from samplerbench.methods.core.path import DiscreteVP, posterior_std
from samplerbench.methods.core.registry import register


@register("ddpm")
@dataclass(frozen=True)
class DDPMRecipe(Recipe):
    """|| eps(x_t, t) - eps ||^2 with t uniform over the T timesteps (eq. 14)."""

    path = DiscreteVP()
    target = "eps"

    def loss(self, field, x0, label, noise, teacher):
        timesteps = self.path.timesteps
        t = (uniform(noise, x0) * timesteps).ceil() / timesteps
        return regression_loss(field, x0, label, t, noise)


@register("ddpm")
@dataclass(frozen=True)
class DDPM(Method):
    r"""x_s ~ N(posterior mean of x_s given x_t and x0, posterior variance), respaced to any grid (eq. 6, 7).

    With r = alpha_t / alpha_s and beta = sigma_t^2 - r^2 sigma_s^2: mean = (r sigma_s^2 x_t + alpha_s beta x0) /
    sigma_t^2; the variance is beta sigma_s^2 / sigma_t^2 (small) or beta (large). The last step adds no noise.
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
            x = (r * then.sigma**2 / now.sigma**2) * x + (then.alpha * beta / now.sigma**2) * x0
            if then.t > 0:
                x = x + (sqrt(beta) if self.variance == "large" else posterior_std(now, then)) * noise(x)
            yield x
