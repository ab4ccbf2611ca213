"""Distribution matching distillation: images whose scores, noised, are the teacher's (arXiv 2311.18828, 2405.14867)."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from torch import Tensor

from methods._base import Noise, uniform
from methods._registry import register
from methods._spec import Between
from methods._students import Renoise, Student


@register("dmd")
@dataclass(frozen=True)
class DMDRecipe(Student):
    """Descent along (x0_fake - x0_teacher) / |g - x0_teacher| of images g, and pairs (2311.18828, eq. 7-9).

    g = x0(x_t, t) at t = i / steps, of pure noise for half of the images, and of noised images for the others
    (2405.14867, section 4.4). The critic, at first the teacher, learns to denoise g: it is the fake score.
    regression: the weight of || g - x0 ||^2 on pairs of noise and image.
    """

    steps: Literal[1, 2, 4, 8] = 4
    regression: Annotated[float, Between(0, 100)] = 0.25

    pairs = True
    critic = True

    def loss(self, field, x0, label, noise, teacher):
        i = (uniform(noise, x0) * self.steps).ceil()
        pure = (i == self.steps) | (torch.arange(len(x0), device=x0.device) % 2 == 0)
        now = self.path.at(torch.where(pure, 1, i / self.steps))
        eps = torch.where(pure.view(-1, 1, 1, 1), noise(x0), fresh(noise, x0))
        g = field(self.path.mix(x0, eps, now), now, label=label).x0

        later, z = self.path.at(0.02 + 0.96 * uniform(noise, x0)), fresh(noise, x0)
        fake = replace(field, net=field.net.critic)(self.path.mix(g.detach(), z, later), later, label=label)
        with torch.no_grad():
            real = teacher(fake.x, later, label=label).x0
            direction = (fake.x0 - real) / (g - real).abs().mean((1, 2, 3), keepdim=True)
        matching = (direction * g).flatten(1).mean(1)
        paired = pure * (g - x0).square().flatten(1).mean(1)
        critic = (fake.velocity - (z - g.detach())).square().flatten(1).mean(1)
        return matching + self.regression * paired + critic


def fresh(noise: Noise, x: Tensor) -> Tensor:
    """Noise in the shape of x that belongs to no pair."""
    return noise(x.flatten(1)).view_as(x)


@register("dmd")
@dataclass(frozen=True)
class DMD(Renoise):
    """x_s = (1 - s) x0(x_t, t) + s z: an image at every step, then noise again (2405.14867, section 4.4)."""

    recipe = "dmd"
    reference = "arXiv 2311.18828"
