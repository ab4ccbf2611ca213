"""Reflow: flow matching on the pairs of a flow, which straightens it, round by round (arXiv 2209.03003, 2405.20320)."""

from dataclasses import dataclass
from math import expm1
from typing import Annotated

import torch
from torch import Tensor

from samplerbench.methods.core.method import Noise, regression_loss, uniform
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._ode import ODE
from samplerbench.methods.students._base import OneStep, OneStepRecipe, Student


@register("reflow")
@dataclass(frozen=True)
class ReflowRecipe(Student):
    """|| v(x_t, t) - (eps - x0) ||^2 on noise eps and the image x0 that the flow before makes of it: its next round.

    t has the density e^(a t) + e^(a (1 - t)), up to a factor: the ends are what is hard (2405.20320, section 4.1).
    """

    rounds: Annotated[int, Between(1, 5)] = 1
    a: Annotated[float, Between(0.01, 20)] = 4.0

    pairs = True

    @property
    def teacher(self) -> str:
        return "flow" if self.rounds == 1 else str(ReflowRecipe(self.rounds - 1, self.a))

    def loss(self, field, x0, label, noise, teacher):
        return regression_loss(field, x0, label, u_shaped(noise, x0, self.a), noise)


def u_shaped(noise: Noise, x: Tensor, a: float) -> Tensor:
    """One time in (0, 1) per image of x, with density proportional to e^(a t) + e^(a (1 - t)): (B,)."""
    u = 2 * uniform(noise, x)
    near = torch.log1p(u.fmod(1) * expm1(a)) / a  # of density proportional to e^(a t)
    return torch.where(u < 1, near, 1 - near)


@register("reflow")
@dataclass(frozen=True)
class Reflow(ODE):
    """dx/dt = v(x, t) as in `flow`, on a rectified flow, whose paths are nearly straight."""

    recipe = "reflow"
    reference = "arXiv 2209.03003"


@register("reflow_distilled")
@dataclass(frozen=True)
class ReflowDistilledRecipe(OneStepRecipe):
    """|| x0(eps) - x0 ||^2 at t = 1, on the pairs of a rectified flow: its distillation (2209.03003, section 2.3)."""

    teacher = "reflow"


@register("reflow_distilled")
@dataclass(frozen=True)
class ReflowDistilled(OneStep):
    """x0 = eps - v(eps, 1) in one evaluation, learnt from the pairs of a rectified flow."""

    recipe = "reflow_distilled"
    reference = "arXiv 2209.03003"
