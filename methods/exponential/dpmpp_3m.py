"""DPM-Solver++(3M) and its SDE form (arXiv 2211.01095)."""

from abc import ABC
from dataclasses import dataclass
from typing import Annotated

from samplerbench.methods.core.multistep_weights import lambda_weights
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.exponential._x0_multistep import X0Multistep


@dataclass(frozen=True)
class Multistep3(X0Multistep, ABC):
    """The weights of x0_i, x0_{i-1} and x0_{i-2}, for the ODE and the SDE."""

    order = 3
    reference = "arXiv 2211.01095"

    def predictor_weights(self, grid):
        n = len(grid) - 1
        counts = [min(i + 1, n - i if n < 15 else 3, 3) for i in range(n)]
        return lambda_weights(grid, counts, 1 + self.eta, two_point="bh2")


@register("dpmpp_3m")
@dataclass(frozen=True)
class DPMpp3M(Multistep3):
    r"""x' = sigma'/sigma x + alpha' int_0^h e^(u-h) P(u) du,  P the parabola through the last three x0.

    This is the exact integral; the common code takes half of the contribution of the curvature, and has order 2. The
    first two steps are of order 1 and 2, and the last two of order 2 and 1 if there are fewer than 15. Steps of order 2
    are those of `dpmpp_2m`, with a simplified factor instead of the integral of a line. One evaluation per step.
    """


@register("dpmpp_3m_sde")
@dataclass(frozen=True)
class DPMpp3MSDE(Multistep3):
    r"""x' = sigma'/sigma e^(-eta h) x + alpha' (1+eta) int_0^h e^((1+eta)(u-h)) P du + sigma' sqrt(1 - e^(-2 eta h)) z.

    P as in `dpmpp_3m`, which is the case eta = 0. One evaluation per step.
    """

    eta: Annotated[float, Between(0, 2)] = 1.0
