"""MeanFlow: the mean velocity over an interval, learned from its relation to the velocity (arXiv 2505.13447)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from samplerbench.methods.core.field import Field
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.recipe import uniform
from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import Jump, Student

ZERO = 1e-3  # c of the adaptive weight, added to the mean square over the pixels


@register("meanflow")
@dataclass(frozen=True)
class MeanFlowRecipe(Student):
    """|| u(x_t, t, s) - (v - (t - s) du/dt) ||^2 / (. + c)^p for s <= t, no gradient to the target (eq. 10, 11, 22).

    v is the teacher's velocity, the conditional mean of the paper's eps - x0: the same minimum, with less variance.
    instants: the fraction of images with s = t, where u is v.
    power: p of the adaptive weight.
    Unlike in the paper, t and s are uniform (there: logit-normal), half of the images have s < t (there: a quarter),
    and c = 1e-3 is added to the mean square over the pixels (there: to the sum).
    """

    instants: Annotated[float, Between(0, 1)] = 0.5
    power: Annotated[float, Between(0, 2)] = 1.0

    # At the default time scale of 1000, the derivative through the time embedding would explode.
    network: ClassVar = {"dropout": 0.0, "interval": True, "time_scale": 10.0}
    provides = frozenset({"intervals"})
    coupled = True

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
                labels = None if label is None else label[:moving]
                slope = derivative(field, x[:moving], t[:moving], s[:moving], labels, velocity[:moving])
                change = (t - s)[:moving].view(-1, 1, 1, 1) * slope
                target = torch.cat((velocity[:moving] - change, velocity[moving:]))
        square = (field(x, now, then, label=label).p - target).square().flatten(1).mean(1)
        return square / (square.detach() + ZERO) ** self.power


def derivative(field: Field, x: Tensor, t: Tensor, s: Tensor, label: Tensor | None, velocity: Tensor) -> Tensor:
    """du(x_t, t, s) / dt (B, C, H, W) along dx/dt = velocity, at fixed s, by forward-mode differentiation."""

    def mean_velocity(x: Tensor, t: Tensor) -> Tensor:
        return field(x, field.path.at(t), field.path.at(s), label=label).p

    # Neither fused attention nor autocast supports forward mode.
    with sdpa_kernel(SDPBackend.MATH), torch.autocast(x.device.type, enabled=False):
        return torch.func.jvp(mean_velocity, (x, t), (velocity, torch.ones_like(t)))[1]


@register("meanflow")
@dataclass(frozen=True)
class MeanFlow(Jump):
    """x_s = x_t - (t - s) u(x_t, t, s), with the mean velocity u from t to s (eq. 12). One evaluation per step."""

    recipe = "meanflow"
    reference = "arXiv 2505.13447"
