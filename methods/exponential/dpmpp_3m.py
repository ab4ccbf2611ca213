"""DPM-Solver++(3M) and its SDE form (arXiv 2211.01095)."""

from dataclasses import dataclass
from typing import Annotated

from samplerbench.methods.core.multistep_weights import lambda_weights
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.exponential._x0_multistep import X0Multistep


@register("dpmpp_3m")
@dataclass(frozen=True)
class DPMpp3M(X0Multistep):
    r"""x' = sigma'/sigma x + alpha' int_0^h e^(u-h) P(u) du,  P the parabola through the last three x0.

    The common code takes half of what the parabola's curvature contributes, and so is of order 2; this is the integral.
    Orders 1 and 2 on the first steps and, in fewer than 15 steps, on the last. One evaluation a step.
    """

    order = 3
    reference = "arXiv 2211.01095"

    def predictor_weights(self, grid):
        n = len(grid) - 1
        counts = [min(i + 1, n - i if n < 15 else 3, 3) for i in range(n)]
        return lambda_weights(grid, counts, 1 + self.noise_level, two_point="bh2")


@register("dpmpp_3m_sde")
@dataclass(frozen=True)
class DPMpp3MSDE(X0Multistep):
    r"""x' = sigma'/sigma e^(-eta h) x + alpha' (1+eta) int_0^h e^((1+eta)(u-h)) P du + sigma' sqrt(1 - e^(-2 eta h)) z.

    P is that of `dpmpp_3m`, which is eta = 0. One evaluation a step.
    """

    eta: Annotated[float, Between(0, 2)] = 1.0

    order = 3
    reference = "arXiv 2211.01095"
    predictor_weights = DPMpp3M.predictor_weights
