"""Distribution matching distillation: images whose scores, noised, are the teacher's (arXiv 2311.18828)."""

from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from samplerbench.methods.core.method import Noise, uniform
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import OneStep, Student


@register("dmd")
@dataclass(frozen=True)
class DMDRecipe(Student):
    """Descent along (x0_fake - x0_teacher) / |g - x0_teacher| of images g, and || g - x0 ||^2 on pairs (eq. 7-9).

    g is the image of pure noise. The critic, at first the teacher, learns to denoise such images: the fake score.
    It begins as `knowledge`, since a critic tells nothing of images that are far from the teacher's.
    regression: the weight of the pairs. It is for pixels, whose squares are smaller than the paper's LPIPS.
    """

    regression: Annotated[float, Between(0, 100)] = 2.0

    start = "knowledge"
    pairs = True
    critic = True

    def loss(self, field, x0, label, noise, teacher):
        now, later = self.path.at(torch.ones_like(x0[:, 0, 0, 0])), self.path.at(0.02 + 0.96 * uniform(noise, x0))
        g, z = field(noise(x0), now, label=label).x0, fresh(noise, x0)

        fake = replace(field, net=field.net.critic)(self.path.mix(g.detach(), z, later), later, label=label)
        with torch.no_grad():
            real = teacher(fake.x, later, label=label).x0
            direction = (fake.x0 - real) / (g - real).abs().mean((1, 2, 3), keepdim=True)
        matching = (direction * g).flatten(1).mean(1)
        paired = (g - x0).square().flatten(1).mean(1)
        critic = (fake.velocity - (z - g.detach())).square().flatten(1).mean(1)
        return matching + self.regression * paired + critic


def fresh(noise: Noise, x: Tensor) -> Tensor:
    """Noise in the shape of x that belongs to no pair."""
    return noise(x.flatten(1)).view_as(x)


@register("dmd")
@dataclass(frozen=True)
class DMD(OneStep):
    """x0 = eps - v(eps, 1): one evaluation of a network that has matched its teacher's distribution."""

    recipe = "dmd"
    reference = "arXiv 2311.18828"
