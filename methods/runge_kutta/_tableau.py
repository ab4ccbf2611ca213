"""Explicit Runge-Kutta steps, in the time of a path or in the noise level of x / alpha."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from samplerbench.methods.core.coordinates import noise_ratio
from samplerbench.methods.core.field import Field, Target, combination
from samplerbench.methods.core.path import Moment


class Tableau(NamedTuple):
    """A Butcher tableau: the rows of `a` after the first, which is empty, then `b`; its order of convergence."""

    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]

    @property
    def inner(self) -> list[float]:
        """c: at which fractions of the interval the evaluations after the first lie."""
        return [sum(row) for row in self.a]


TABLEAUS = {
    "euler": Tableau(1, (), (1,)),
    "midpoint": Tableau(2, ((1 / 2,),), (0, 1)),
    "heun": Tableau(2, ((1,),), (1 / 2, 1 / 2)),
    "rk4": Tableau(4, ((1 / 3,), (-1 / 3, 1), (1, -1, 1)), (1 / 8, 3 / 8, 3 / 8, 1 / 8)),  # Kutta's 3/8 rule
}


class Frame(NamedTuple):
    """Coordinates y = x / scale in which the probability-flow ODE reads dy / d clock = slope."""

    clock: Callable[[Moment], float]
    scale: Callable[[Moment], float]
    slope: Target


TIME = Frame(lambda m: m.t, lambda m: 1.0, "velocity")  # dx/dt = velocity
NOISE_RATIO = Frame(noise_ratio, lambda m: m.alpha, "eps")  # d(x/alpha) / d(sigma/alpha) = eps


def runge_kutta(tableau: Tableau, frame: Frame, field: Field, x: Tensor, points: Sequence[Moment]) -> Tensor:
    """One step from points[0] to points[-1], with the tableau's inner points between them."""
    now, *inner, then = points
    h = frame.clock(then) - frame.clock(now)
    slopes = [field(x, now).read(frame.slope)]

    def advance(weights: Sequence[float], to: Moment) -> Tensor:
        scale = frame.scale(to)
        return combination((scale / frame.scale(now), *(scale * h * w for w in weights)), (x, *slopes))

    for row, moment in zip(tableau.a, inner, strict=True):
        slopes.append(field(advance(row, moment), moment).read(frame.slope))
    return advance(tableau.b, then)
