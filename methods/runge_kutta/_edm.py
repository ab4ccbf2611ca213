"""Explicit Runge-Kutta solvers of dx/dsigma = (x - D(x; sigma)) / sigma, with churn (arXiv 2206.00364, algorithm 2).

In EDM's frame, the state is x / alpha and its noise level sigma / alpha, which turns every Gaussian path into EDM's.
In terms of x, the slope is eps and an Euler step is a DDIM step.
"""

from abc import ABC
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from typing import Annotated, ClassVar

import torch

from samplerbench.methods.core.coordinates import at_ratios, inner_points, interior, noise_ratio
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.plugin import Between, SpecError
from samplerbench.methods.runge_kutta._tableau import NOISE_RATIO, Tableau, runge_kutta


@dataclass(frozen=True)
class EDM(Method, ABC):
    """A solver in EDM's frame; a subclass sets the tableau.

    Where s_min <= sigma <= s_max, added noise first raises the level to sigma (1 + min(churn / n, sqrt(2) - 1)), but
    not above the highest level of the path. Intervals that begin without signal or end without noise are a single
    Euler step without churn, since the level or the slope is infinite there. (k-diffusion does churn the last
    interval, and above the highest level.)
    """

    churn: Annotated[float, Between(0, 1000)] = 0.0
    s_min: Annotated[float, Between(0, inf)] = 0.0
    s_max: Annotated[float, Between(0, inf)] = inf
    s_noise: Annotated[float, Between(0, 10)] = 1.0

    recipe = "ddpm"
    grid = "karras"
    tableau: ClassVar[Tableau]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.churn and (self.s_min, self.s_max, self.s_noise) != (0, inf, 1):
            raise SpecError(f"{self.name}: s_min, s_max and s_noise have no effect without churn; set churn=40, say.")

    @property
    def order(self) -> int | None:
        return None if self.churn else self.tableau.order

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        starts = self._churned(field.path, grid) if self.churn else grid[:-1]
        inner = inner_points(field.path, starts, grid[1:], self.tableau.inner, "sigma")
        for (now, then), hat, points in zip(pairwise(grid), starts, inner, strict=True):
            if hat is not now:
                added = sqrt(noise_ratio(hat) ** 2 - noise_ratio(now) ** 2)
                x = hat.alpha / now.alpha * x + hat.alpha * added * self.s_noise * noise(x)
            if interior(hat, then):
                x = runge_kutta(self.tableau, NOISE_RATIO, field, x, [hat, *points, then])
            else:
                x = field(x, hat).mix(then.alpha, then.sigma)
            yield x

    def _churned(self, path, grid):
        """The moment at which each interval starts after churn; the grid's own moment where there is no churn."""
        gamma = min(self.churn / (len(grid) - 1), sqrt(2) - 1)
        highest = noise_ratio(path.along(torch.ones(1))[0])
        churned = [
            interior(now, then) and self.s_min <= noise_ratio(now) <= self.s_max and noise_ratio(now) < highest
            for now, then in pairwise(grid)
        ]
        raised = [min((1 + gamma) * noise_ratio(now), highest) for now, ok in zip(grid, churned, strict=False) if ok]
        noisier = iter(at_ratios(path, raised))
        return [next(noisier) if ok else now for now, ok in zip(grid, churned, strict=False)]
