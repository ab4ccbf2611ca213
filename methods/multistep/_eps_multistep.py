"""Linear multistep methods on eps: DDIM steps with a weighted mean of past eps instead of eps.

x_t = (alpha_t / alpha_s) x_s + (sigma_t - sigma_s alpha_t / alpha_s) mean(eps) is exact if mean(eps) is the mean over
the interval under the measure d(sigma / alpha). A method chooses the polynomial through past eps, and the measure.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from samplerbench.methods.core.coordinates import has_signal, noise_ratio
from samplerbench.methods.core.field import Prediction, combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.multistep_weights import MASSES, NODES, Weights, history, mean_weights
from samplerbench.methods.core.path import Moment, Path
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.steps import eps_step


def multistep(p: Prediction, past: Sequence[Tensor], weights: Sequence[float], then: Moment) -> Tensor:
    """The state (B, C, H, W) after the step to `then` with sum_j w_j eps_j for mean(eps); DDIM's if `p` has no signal.

    past: the last eps (B, C, H, W), newest first, one for each weight.
    """
    if not has_signal(p.now):
        return p.mix(then.alpha, then.sigma)
    keep, gain = eps_step(p.now, then)
    return combination([keep, *(gain * w for w in weights)], [p.x, *past])


@dataclass(frozen=True)
class EpsMultistep(Method, ABC):
    """Adams-Bashforth methods on eps. The first steps are of lower order."""

    order: Annotated[int, Between(1, 4)] = 4

    recipe = "ddpm"

    @abstractmethod
    def weights(self, path: Path, grid: Sequence[Moment]) -> Weights:
        """The weights of the last eps in each interval, newest first; they sum to 1."""

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        past: deque[Tensor] = deque(maxlen=self.order)
        for (now, then), weights in zip(pairwise(grid), self.weights(field.path, grid), strict=True):
            p = field(x, now)
            past.appendleft(p.eps)
            x = multistep(p, past, weights, then)
            yield x

    def counts(self, grid: Sequence[Moment]) -> list[int]:
        """The number of eps used in each interval."""
        return [min(i + 1, self.order) for i in range(len(grid) - 1)]


def sigma_weights(grid: Sequence[Moment], counts: Sequence[int]) -> Weights:
    """Polynomials in sigma / alpha under the measure d(sigma / alpha): exact if eps is such a polynomial."""
    ratios = np.array([noise_ratio(m) for m in grid])
    now, then = np.where(np.isfinite(ratios), ratios, 1.0)[:-1, None], ratios[1:, None]
    return mean_weights(
        history(ratios, counts), then + (now - then) * NODES, np.broadcast_to(MASSES, (len(now), len(NODES)))
    )


def time_weights(path: Path, grid: Sequence[Moment], counts: Sequence[int], measure: Literal["t", "sigma"]) -> Weights:
    """Polynomials in t under the measure dt, or d(sigma / alpha) for `measure` "sigma", by quadrature.

    The quadrature points are quadratically denser towards the end of the interval, since sigma may grow like sqrt(t).
    """
    t = np.array([m.t for m in grid])
    now, then = t[:-1, None], t[1:, None]
    points, masses = then + (now - then) * NODES**2, np.tile(2 * NODES * MASSES, (len(now), 1))
    if measure == "sigma":
        alpha, sigma, d_alpha, d_sigma = (c.numpy() for c in path.coefficients(torch.from_numpy(points)))
        masses = masses * (d_sigma * alpha - sigma * d_alpha) / alpha**2
    return mean_weights(history(t, counts), points, masses)
