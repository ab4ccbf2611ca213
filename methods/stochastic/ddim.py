"""Denoising diffusion implicit models (arXiv 2010.02502)."""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Annotated

import torch

from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import posterior_std
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register


@register("ddim")
@dataclass(frozen=True)
class DDIM(Method):
    r"""x_s = alpha_s x0 + sqrt(sigma_s^2 - tau^2) eps + tau z,  tau = eta * posterior std  (eq. 12, 16).

    clip: clip x0 to [-1, 1], and recompute eps from the clipped x0. One evaluation per step.
    """

    eta: Annotated[float, Between(0, 1)] = 0.0
    clip: bool = False

    recipe = "ddpm"
    reference = "arXiv 2010.02502"

    @property
    def order(self) -> int | None:
        return None if self.eta else 1

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            p = field(x, now)
            p = p.clipped() if self.clip else p
            tau = self.eta * posterior_std(now, then)
            x = p.mix(then.alpha, sqrt(then.sigma**2 - tau**2))
            if tau > 0:
                x = torch.add(x, noise(x), alpha=tau)
            yield x
