"""Rectified flow: flow matching on the straight path (arXiv 2209.03003, 2210.02747)."""

from dataclasses import dataclass

from samplerbench.methods.core.recipe import FlowMatching
from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._ode import ODE


@register("flow")
@dataclass(frozen=True)
class FlowRecipe(FlowMatching):
    """|| v(x_t, t) - (eps - x0) ||^2 with x_t = (1 - t) x0 + t eps and t uniform (2209.03003, eq. 1)."""


@register("flow")
@dataclass(frozen=True)
class Flow(ODE):
    """dx/dt = v(x, t), from noise at t = 1 to data at t = 0."""

    recipe = "flow"
    reference = "arXiv 2209.03003"
