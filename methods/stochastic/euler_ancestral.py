"""Euler steps with ancestral noise (arXiv 2206.00364, 2010.02502)."""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Annotated

import torch

from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import posterior_std
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register


@register("euler_ancestral")
@dataclass(frozen=True)
class EulerAncestral(Method):
    r"""x' = x + (sigma_down - sigma) d + sigma_up z,  sigma_down^2 = sigma'^2 - sigma_up^2, in EDM's frame x / alpha.

    sigma_up = min(sigma', eta sqrt(sigma'^2 (sigma^2 - sigma'^2) / sigma^2)), that is, eta times the standard deviation
    of the posterior. This is DDIM (2010.02502, eq. 16) with eta allowed above 1. One evaluation per step.
    """

    eta: Annotated[float, Between(0, 2)] = 1.0

    recipe = "ddpm"
    grid = "karras"
    reference = "arXiv 2206.00364"

    @property
    def order(self) -> int | None:
        return None if self.eta else 1

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            up = min(then.sigma, self.eta * posterior_std(now, then)) if then.t > 0 else 0.0
            x = field(x, now).mix(then.alpha, sqrt(then.sigma**2 - up**2))
            if up:
                x = torch.add(x, noise(x), alpha=up)
            yield x
