"""Shortcut models: a step that equals two of half its size, learnt at all sizes at once (arXiv 2410.12557)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from samplerbench.methods.core.method import uniform
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import Jump, Student

SIZES = 7  # of steps: 1, 1/2, ..., 1/64


@register("shortcut")
@dataclass(frozen=True)
class ShortcutRecipe(Student):
    """|| u(x_t, t, s) - u* ||^2 with u* the mean over two half steps, held fixed, and the velocity at s = t (eq. 5).

    The network is told where a step ends instead of its size; below the smallest size u is the velocity. That is the
    teacher's, the mean of eps - x0, which the paper takes: the same minimum with less variance.
    instants: the share of the images with s = t.
    """

    instants: Annotated[float, Between(0, 1)] = 0.5

    network: ClassVar = {"dropout": 0.0, "interval": True}

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

    def two_halves(self, field, teacher, x, t, size, label, velocity):
        """The mean of the network's u over two steps of half the size (B,); of the velocity for the smallest size."""
        now, middle, then = (self.path.at(t - part * size) for part in (0, 0.5, 1))
        smallest = (size == 2.0 ** (1 - SIZES)).view(-1, 1, 1, 1)
        first = torch.where(smallest, velocity, field(x, now, middle, label=label).p)
        halfway = x + (middle.t - now.t) * first
        taught = teacher(halfway, middle, label=label).velocity
        return (first + torch.where(smallest, taught, field(halfway, middle, then, label=label).p)) / 2


@register("shortcut")
@dataclass(frozen=True)
class Shortcut(Jump):
    """x_s = x_t - (t - s) u(x_t, t, s): a step of any size, as the network has been told its end (algorithm 2)."""

    recipe = "shortcut"
    reference = "arXiv 2410.12557"
