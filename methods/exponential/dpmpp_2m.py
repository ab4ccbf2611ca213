"""DPM-Solver++(2M) and its SDE form (arXiv 2211.01095)."""

from abc import ABC
from dataclasses import dataclass
from typing import Annotated, Literal

from samplerbench.methods.core.multistep_weights import lambda_weights
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.exponential._x0_multistep import Threshold, X0Multistep


@dataclass(frozen=True)
class Multistep2(X0Multistep, ABC):
    """The weights of x0_i and x0_{i-1}, for the ODE and the SDE."""

    kind: Literal["midpoint", "heun"] = "midpoint"

    order = 2
    reference = "arXiv 2211.01095"

    def predictor_weights(self, grid):
        n = len(grid) - 1
        counts = [min(i + 1, n - i if n < 15 else 2, 2) for i in range(n)]
        return lambda_weights(grid, counts, 1 + self.eta, two_point="bh2" if self.kind == "midpoint" else "exact")


@register("dpmpp_2m")
@dataclass(frozen=True)
class DPMpp2M(Multistep2):
    r"""x' = sigma'/sigma x - alpha' (e^-h - 1) D,  D = (1 + 1/(2r)) x0_i - 1/(2r) x0_{i-1},  r = h_{i-1}/h_i (alg. 2).

    kind: D as above (midpoint), or the exact mean of the line through both x0 (heun). The first step is a DDIM step,
    and so is the last if it ends without noise or there are fewer than 15. One evaluation per step.
    threshold: the quantile of dynamic thresholding (arXiv 2205.11487), as 0.995.
    """

    threshold: Threshold = None


@register("dpmpp_2m_sde")
@dataclass(frozen=True)
class DPMpp2MSDE(Multistep2):
    r"""x' = sigma'/sigma e^(-eta h) x + alpha' (1 - e^(-(1+eta) h)) D + sigma' sqrt(1 - e^(-2 eta h)) z.

    D as in `dpmpp_2m`, which is the case eta = 0. One evaluation per step.
    """

    eta: Annotated[float, Between(0, 2)] = 1.0
