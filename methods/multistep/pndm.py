"""Pseudo numerical methods for diffusion models on manifolds (arXiv 2202.09778)."""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from samplerbench.methods.core.coordinates import inner_points, interior
from samplerbench.methods.core.field import Field, Prediction
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import Moment
from samplerbench.methods.core.registry import register
from samplerbench.methods.multistep._eps_multistep import multistep, time_weights


@register("pndm")
@dataclass(frozen=True)
class PNDM(Method):
    r"""F-PNDM: three pseudo Runge-Kutta steps, then pseudo linear multistep steps (eq. 11 to 13, algorithm 2).

    Both are DDIM steps with another eps. Runge-Kutta: (e_1 + 2 e_2 + 2 e_3 + e_4) / 6, where e_2 and e_3 are in the
    middle of the interval. Multistep: the mean over t of the cubic through the last four eps, with weights
    (55, -59, 37, -9) / 24 on evenly spaced times. Four evaluations on each of the first three steps, one on later steps
    and on the last. The order is 2.
    """

    recipe = "ddpm"
    grid = "quadratic"
    order = 2
    reference = "arXiv 2202.09778"

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        weights = time_weights(field.path, grid, [min(i + 1, 4) for i in range(len(grid) - 1)], measure="t")
        middles = inner_points(field.path, grid[:3][: len(grid) - 1], grid[1:4], [1 / 2], "t")
        past: deque[Tensor] = deque(maxlen=4)
        for i, (now, then) in enumerate(pairwise(grid)):
            p = field(x, now)
            past.appendleft(p.eps)
            early = i < 3 and interior(now, then)
            x = _runge_kutta(field, p, middles[i][0], then) if early else multistep(p, past, weights[i], then)
            yield x


def _runge_kutta(field: Field, p: Prediction, middle: Moment, then: Moment) -> Tensor:
    e2 = field(p.mix(middle.alpha, middle.sigma), middle).eps
    e3 = field(multistep(p, [e2], [1], middle), middle).eps
    e4 = field(multistep(p, [e3], [1], then), then).eps
    return multistep(p, [p.eps, e2, e3, e4], [1 / 6, 1 / 3, 1 / 3, 1 / 6], then)
