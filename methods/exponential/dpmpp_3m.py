"""DPM-Solver++(3M) and its SDE form (arXiv 2211.01095)."""

from abc import ABC
from dataclasses import dataclass
from math import expm1, isfinite
from typing import Annotated, Literal

from samplerbench.methods.core.coordinates import half_log_snr
from samplerbench.methods.core.multistep_weights import lambda_weights
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.exponential._x0_multistep import Threshold, X0Multistep


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

    The first two steps are of order 1 and 2, and the last two of order 2 and 1 if there are fewer than 15. Steps of
    order 2 are those of `dpmpp_2m`, with a simplified factor instead of the integral of a line. One evaluation per
    step.
    curvature: the exact integral, or "half" of the contribution of the curvature, as the authors' code, which has
    order 2. threshold: the quantile of dynamic thresholding (arXiv 2205.11487), 0.995 in published figures.
    """

    curvature: Literal["full", "half"] = "full"
    threshold: Threshold = None

    @property
    def convergence(self) -> int | None:
        return 2 if self.curvature == "half" else self.order

    def predictor_weights(self, grid):
        weights = super().predictor_weights(grid)
        return _with_half_curvature(weights, [*map(half_log_snr, grid)]) if self.curvature == "half" else weights


def _with_half_curvature(weights, lambdas):
    """The weights less half of the curvature's: (phi_3 / phi_1) D2, D2 = h^2 times the second divided difference."""
    found = []
    for i, row in enumerate(weights):
        if len(row) == 3 and all(map(isfinite, lambdas[i - 2 : i + 2])):
            older, old, now, then = lambdas[i - 2 : i + 2]
            h = then - now
            phi_1 = expm1(-h)
            half = ((phi_1 / h + 1) / h - 0.5) / phi_1 * h**2 / (now - older)
            outer, inner = half / (now - old), half / (old - older)
            row = [row[0] - outer, row[1] + outer + inner, row[2] - inner]
        found.append(row)
    return found


@register("dpmpp_3m_sde")
@dataclass(frozen=True)
class DPMpp3MSDE(Multistep3):
    r"""x' = sigma'/sigma e^(-eta h) x + alpha' (1+eta) int_0^h e^((1+eta)(u-h)) P du + sigma' sqrt(1 - e^(-2 eta h)) z.

    P as in `dpmpp_3m`, which is the case eta = 0. One evaluation per step.
    """

    eta: Annotated[float, Between(0, 2)] = 1.0
