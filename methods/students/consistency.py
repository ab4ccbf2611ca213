"""Consistency models, which map every point of a trajectory to its end (arXiv 2303.01469, 2310.14189)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import floor
from typing import Annotated

import torch
from torch import Tensor

from samplerbench.methods.core.field import Field
from samplerbench.methods.core.path import Moment
from samplerbench.methods.core.plugin import Between, SpecError
from samplerbench.methods.core.recipe import uniform
from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import Renoise, Student, pseudo_huber


@dataclass(frozen=True)
class ConsistencyRecipe(Student, ABC):
    """|| f(x_t, t) - f(x_s, s) ||, f(x_t, t) = x_t - t v(x_t, t), at adjacent times t > s of one trajectory.

    On the straight path, f(x, 0) = x holds without further parametrisation. No gradient flows through f(x_s, s).
    intervals, last: the times are 1 / intervals apart; the number of intervals doubles from `intervals` to `last`, each
    value for an equal part of the training (2310.14189, section 3.4).
    huber: the constant c of the pseudo-Huber distance, per pixel; 0 for the squared error.
    Unlike in the papers, times are uniform (2310.14189: lognormal noise levels), c is 0.03 (there 0.00054 in these
    units), and the teacher's step is Euler's (2303.01469: Heun's).
    """

    intervals: Annotated[int, Between(1, 10_000)] = 4
    last: Annotated[int, Between(1, 10_000)] = 32
    huber: Annotated[float, Between(0, 1)] = 0.03

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.last < self.intervals:
            raise SpecError(f"{self.name}: last must be at least intervals, {self.intervals}, not {self.last}.")

    @abstractmethod
    def slope(
        self, x: Tensor, now: Moment, path_of: tuple[Tensor, Tensor], label: Tensor | None, teacher: Field
    ) -> Tensor:
        """dx/dt (B, C, H, W) of the trajectory through x. path_of: the image and the noise that x is a mixture of."""

    def at_progress(self, fraction):
        doublings = (self.last // self.intervals).bit_length()
        now = self.intervals * 2 ** min(floor(fraction * doublings), doublings - 1)
        return replace(self, intervals=now, last=now)

    def loss(self, field, x0, label, noise, teacher):
        i, eps = (uniform(noise, x0) * self.intervals).ceil(), noise(x0)
        now, then = (self.path.at(j / self.intervals) for j in (i, i - 1))
        x = self.path.mix(x0, eps, now)

        predicted = field(x, now, label=label).x0
        with torch.no_grad():
            before = x + (then.t - now.t) * self.slope(x, now, (x0, eps), label, teacher)
            target = field(before, then, label=label).x0
        # Differences shrink with the interval; dividing by it keeps the weight of all lengths equal (section 3.2).
        return self.intervals * pseudo_huber(predicted - target, self.huber)


@register("consistency")
@dataclass(frozen=True)
class ConsistencyDistillation(ConsistencyRecipe):
    """|| f(x_t, t) - f(x_s, s) ||, f(x_t, t) = x_t - t v(x_t, t), with x_s one step of the teacher from x_t."""

    def slope(self, x, now, path_of, label, teacher):
        return teacher(x, now, label=label).velocity


@register("consistency_training")
@dataclass(frozen=True)
class ConsistencyTraining(ConsistencyRecipe):
    """|| f(x_t, t) - f(x_s, s) ||, f(x_t, t) = x_t - t v(x_t, t), with x_s of the same image and noise as x_t.

    The teacher only provides the initial weights; it is never evaluated.
    """

    def slope(self, x, now, path_of, label, teacher):
        x0, eps = path_of
        return eps - x0


@register("consistency")
@dataclass(frozen=True)
class Consistency(Renoise):
    """x_s = (1 - s) f(x_t, t) + s z: predict the image, then add fresh noise for the next step (2303.01469, alg. 1).

    It also samples networks of `consistency_training`. One evaluation per step.
    """

    recipe = "consistency"
    reference = "arXiv 2303.01469"
