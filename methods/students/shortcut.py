"""Shortcut models: a step equals two steps of half its size, learned for all sizes at once (arXiv 2410.12557)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.recipe import uniform
from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import Jump, Student

SIZES = 7  # the number of step sizes: 1, 1/2, ..., 1/64


@register("shortcut")
@dataclass(frozen=True)
class ShortcutRecipe(Student):
    """|| u(x_t, t, s) - u* ||^2, u* the mean of two half steps (without gradient), or the velocity at s = t (eq. 5).

    The network is conditioned on the end of a step instead of its size; below the smallest size, u is the velocity.
    That is the teacher's, the conditional mean of the paper's eps - x0: the same minimum, with less variance.
    instants: the fraction of images with s = t; one half here, three quarters in the paper.
    The targets come from the current weights, where the authors' code uses their moving average.
    """

    instants: Annotated[float, Between(0, 1)] = 0.5

    network: ClassVar = {"dropout": 0.0, "interval": True}
    provides = frozenset({"intervals"})
    coupled = True

    def loss(self, field, x0, label, noise, teacher):
        stepping = len(x0) - round(self.instants * len(x0))
        count = 2 ** (uniform(noise, x0) * SIZES).floor()
        t, size = (uniform(noise, x0) * count).ceil() / count, 1 / count
        t[stepping:], size[stepping:] = uniform(noise, x0)[stepping:], 0
        now, then = self.path.at(t), self.path.at(t - size)
        x = self.path.mix(x0, noise(x0), now)

        with torch.no_grad():
            target = teacher(x, now, label=label).velocity
            if stepping:
                first = [value if value is None else value[:stepping] for value in (x, t, size, label, target)]
                target = torch.cat((self.two_halves(field, teacher, *first), target[stepping:]))
        return (field(x, now, then, label=label).p - target).square().flatten(1).mean(1)

    def two_halves(self, field, teacher, x, t, size, label, velocity) -> Tensor:
        """The mean of u over two steps of half the `size` (B,); for the smallest size, of the teacher's velocity."""
        now, middle, then = (self.path.at(t - part * size) for part in (0, 0.5, 1))
        smallest = (size == 2.0 ** (1 - SIZES)).view(-1, 1, 1, 1)
        first = torch.where(smallest, velocity, field(x, now, middle, label=label).p)
        halfway = x + (middle.t - now.t) * first
        taught = teacher(halfway, middle, label=label).velocity
        return (first + torch.where(smallest, taught, field(halfway, middle, then, label=label).p)) / 2


@register("shortcut")
@dataclass(frozen=True)
class Shortcut(Jump):
    """x_s = x_t - (t - s) u(x_t, t, s): a step of any size (algorithm 2). One evaluation per step."""

    recipe = "shortcut"
    reference = "arXiv 2410.12557"
