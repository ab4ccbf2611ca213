"""MeanFlow: the mean velocity over an interval, learnt from its identity with the velocity (arXiv 2505.13447)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from samplerbench.methods.core.field import Field
from samplerbench.methods.core.method import uniform
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import Jump, Student

ZERO = 1e-3  # c of the adaptive weight, of the mean over the pixels


@register("meanflow")
@dataclass(frozen=True)
class MeanFlowRecipe(Student):
    """|| u(x_t, t, s) - (v - (t - s) du/dt) ||^2 / (. + c)^p, the target held fixed, s <= t (eq. 10, 11, 22).

    v is the teacher's velocity, the mean of eps - x0, which the paper takes: the same minimum with less variance.
    instants: the share of the images with s = t, where u is v.
    power: p of the adaptive weight.
    """

    instants: Annotated[float, Between(0, 1)] = 0.5
    power: Annotated[float, Between(0, 2)] = 1.0

    # A derivative in t through waves of t at a rate of 1000 would explode.
    network: ClassVar = {"dropout": 0.0, "interval": True, "time_scale": 10.0}

    def loss(self, field, x0, label, noise, teacher):
        one, other = uniform(noise, x0), uniform(noise, x0)
        t, s = torch.maximum(one, other), torch.minimum(one, other)
        moving = len(x0) - round(self.instants * len(x0))
        s = torch.cat((s[:moving], t[moving:]))
        now, then = self.path.at(t), self.path.at(s)
        x = self.path.mix(x0, noise(x0), now)

        with torch.no_grad():
            target = velocity = teacher(x, now, label=label).velocity
            if moving:
                first = [value if value is None else value[:moving] for value in (x, t, s, label, velocity)]
                rate = (t - s)[:moving].view(-1, 1, 1, 1) * derivative(field, *first)
                target = torch.cat((velocity[:moving] - rate, velocity[moving:]))
        square = (field(x, now, then, label=label).p - target).square().flatten(1).mean(1)
        return square / (square.detach() + ZERO) ** self.power


def derivative(field: Field, x: Tensor, t: Tensor, s: Tensor, label: Tensor | None, velocity: Tensor) -> Tensor:
    """du(x_t, t, s) / dt along dx/dt = velocity, with s fixed, in forward mode: (B, C, H, W)."""

    def mean_velocity(x: Tensor, t: Tensor) -> Tensor:
        return field(x, field.path.at(t), field.path.at(s), label=label).p

    with sdpa_kernel(SDPBackend.MATH):  # fused attention has no derivative in forward mode
        return torch.func.jvp(mean_velocity, (x, t), (velocity, torch.ones_like(t)))[1]


@register("meanflow")
@dataclass(frozen=True)
class MeanFlow(Jump):
    """x_s = x_t - (t - s) u(x_t, t, s), with the mean velocity u from t to s (eq. 12)."""

    recipe = "meanflow"
    reference = "arXiv 2505.13447"
