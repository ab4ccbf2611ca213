"""Distribution matching distillation: noisy generated images match the teacher's scores (arXiv 2311.18828)."""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.recipe import Noise, uniform
from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import OneStep, Student


@register("dmd")
@dataclass(frozen=True)
class DMDRecipe(Student):
    """Descent of images g along (x0_fake - x0_teacher) / |g - x0_teacher|, and || g - x0 ||^2 on pairs (eq. 7-9).

    g is the image made from pure noise. The critic starts as the teacher and learns to denoise such images; it gives
    x0_fake. Eq. 7-8 have a further factor alpha_t = 1 - t, which is 1 on variance-exploding paths and left out here.
    Training starts from `knowledge`, since the gradient is uninformative for images far from the teacher's.
    regression: the weight of the loss on pairs, for squared pixel errors, which are smaller than the paper's LPIPS.
    """

    regression: Annotated[float, Between(0, 100)] = 2.0

    init_from = "knowledge"
    pairs = True

    def modules(self, teacher=None):
        return {"critic": deepcopy(teacher)} if teacher else {}

    def loss(self, field, x0, label, noise, teacher):
        now, later = self.path.at(torch.ones_like(x0[:, 0, 0, 0])), self.path.at(0.02 + 0.96 * uniform(noise, x0))
        g, z = field(noise(x0), now, label=label).x0, fresh(noise, x0)

        fake = replace(field, net=field.modules["critic"])(self.path.mix(g.detach(), z, later), later, label=label)
        with torch.no_grad():
            real = teacher(fake.x, later, label=label).x0
            direction = (fake.x0 - real) / (g - real).abs().mean((1, 2, 3), keepdim=True)
        matching = (direction * g).flatten(1).mean(1)
        paired = (g - x0).square().flatten(1).mean(1)
        critic = (fake.velocity - (z - g.detach())).square().flatten(1).mean(1)
        return matching + self.regression * paired + critic


def fresh(noise: Noise, x: Tensor) -> Tensor:
    """Noise in the shape of x (B, C, H, W) that is not part of a pair."""
    return noise(x.flatten(1)).view_as(x)


@register("dmd")
@dataclass(frozen=True)
class DMD(OneStep):
    """x0 = eps - v(eps, 1), in one evaluation of a network trained to match its teacher's distribution."""

    recipe = "dmd"
    reference = "arXiv 2311.18828"
