"""Explicit Runge-Kutta steps, in time or in the noise level of x / alpha."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor

from samplerbench.methods.core.coordinates import noise_ratio
from samplerbench.methods.core.field import Field, Target, combination
from samplerbench.methods.core.path import Moment


class Tableau(NamedTuple):
    """A Butcher tableau. order: its order of convergence. a: its rows after the first, which is empty."""

    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]

    @property
    def inner(self) -> list[float]:
        """c: the positions of the evaluations after the first, as fractions of the interval."""
        return [sum(row) for row in self.a]


TABLEAUS = {
    "euler": Tableau(1, (), (1,)),
    "midpoint": Tableau(2, ((1 / 2,),), (0, 1)),
    "heun": Tableau(2, ((1,),), (1 / 2, 1 / 2)),
    "rk4": Tableau(4, ((1 / 3,), (-1 / 3, 1), (1, -1, 1)), (1 / 8, 3 / 8, 3 / 8, 1 / 8)),  # Kutta's 3/8 rule
}


class Frame(NamedTuple):
    """Coordinates y = x / scale in which the probability-flow ODE is dy / d clock = slope."""

    clock: Callable[[Moment], float]
    scale: Callable[[Moment], float]
    slope: Target


TIME = Frame(lambda m: m.t, lambda m: 1.0, "velocity")  # dx/dt = velocity
NOISE_RATIO = Frame(noise_ratio, lambda m: m.alpha, "eps")  # d(x/alpha) / d(sigma/alpha) = eps


def runge_kutta(tableau: Tableau, frame: Frame, field: Field, x: Tensor, points: Sequence[Moment]) -> Tensor:
    """The state (B, C, H, W) after one step of the state x from points[0] to points[-1].

    points: the ends of the interval and, between them, the tableau's inner points.
    """
    h, start = frame.clock(points[-1]) - frame.clock(points[0]), frame.scale(points[0])
    y, terms = x, [x]  # the state and the slopes
    for (moment, then), weights in zip(pairwise(points), (*tableau.a, tableau.b), strict=True):
        terms.append(field(y, moment).read(frame.slope))
        scale = frame.scale(then)
        y = combination([scale / start, *[scale * h * w for w in weights]], terms)
    return y
