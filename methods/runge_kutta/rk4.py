"""The fourth-order Runge-Kutta method in the noise level (arXiv 2206.00364)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._edm import EDM
from samplerbench.methods.runge_kutta._tableau import TABLEAUS


@register("rk4")
@dataclass(frozen=True)
class RK4(EDM):
    r"""x' = x + (sigma' - sigma) (d_1 + 3 d_2 + 3 d_3 + d_4) / 8: Kutta's 3/8 rule, in EDM's frame (eq. 3).

    The tableau of `pf_ode[solver=rk4]`, which uses it in time. Four evaluations per step; one on the last, which is an
    Euler step.
    """

    tableau = TABLEAUS["rk4"]
    reference = "arXiv 2206.00364"
