"""The reverse SDE of diffusion models and flows, at any noise level (arXiv 2011.13456, 2401.08740)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Annotated

import torch

from samplerbench.methods.core.coordinates import has_signal
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import Moment
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register


@dataclass(frozen=True)
class EulerMaruyama(Method, ABC):
    """x' = x + (t' - t) (velocity - w/2 score) + sqrt(w (t - t')) z; its SDE has the path's marginals for every w >= 0.

    The last interval, and a first one without signal, is a DDIM step without noise.
    """

    level: Annotated[float, Between(0, 10)] = 1.0

    @property
    def order(self) -> int | None:
        return None if self.level else 1

    @abstractmethod
    def diffusion(self, m: Moment) -> float:
        """w at the moment m, for level 1."""

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            p, dt = field(x, now), then.t - now.t
            if then.t > 0 and has_signal(now):
                w = self.level**2 * self.diffusion(now)
                x = torch.add(x, p.mix(now.d_alpha, now.d_sigma + w / 2 / now.sigma), alpha=dt)
                x = torch.add(x, noise(x), alpha=sqrt(-w * dt)) if w else x
            else:
                x = p.mix(then.alpha, then.sigma)
            yield x


@register("reverse_sde")
@dataclass(frozen=True)
class ReverseSDE(EulerMaruyama):
    r"""dx = [f x - (1 + level^2)/2 g^2 score] dt + level g dw,  g^2 = 2 sigma (dsigma - sigma dalpha / alpha) (eq. 6).

    By Euler-Maruyama. Level 0 is the probability-flow ODE, level 1 the reverse of the forward SDE. One evaluation per
    step.
    """

    recipe = "ddpm"
    reference = "arXiv 2011.13456"

    def diffusion(self, m):
        return 2 * m.sigma * (m.d_sigma - m.sigma * m.d_alpha / m.alpha)


@register("flow_sde")
@dataclass(frozen=True)
class FlowSDE(EulerMaruyama):
    r"""dx = [v - w/2 score] dt + sqrt(w) dw,  w = level^2 sigma: stochastic sampling of a flow (arXiv 2401.08740).

    By Euler-Maruyama. Unlike g^2 in `reverse_sde`, w stays finite at t = 1. One evaluation per step.
    """

    recipe = "flow"
    reference = "arXiv 2401.08740"

    def diffusion(self, m):
        return m.sigma
