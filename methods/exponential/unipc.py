"""UniPC, a predictor-corrector without extra evaluations (arXiv 2302.04867)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from samplerbench.methods.core.multistep_weights import lambda_weights
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.exponential._x0_multistep import Threshold, X0Multistep


@register("unipc")
@dataclass(frozen=True)
class UniPC(X0Multistep):
    r"""x' = sigma'/sigma x - alpha' (e^-h - 1) x0 - alpha' B(h) sum_k rho_k (x0_k - x0) / r_k,  R rho = b (section 3).

    The predictor, UniP-p, uses the last p = `order` evaluations. The corrector, UniC-p, adds the one at x', which the
    next step needs anyway, and raises the order of convergence by one. Solving for rho gives the interpolating
    polynomial for every B(h); `variant` matters only with two evaluations, where rho = 1/2: B = -h (bh1) or e^-h - 1
    (bh2). The order rises over the first steps and falls over the last. On a first interval without signal, the
    corrector gives all weight to the x0 at x', so that interval is not a DDIM step. One evaluation per step.
    threshold: the quantile of dynamic thresholding (arXiv 2205.11487), 0.995 in published figures.
    """

    order: Annotated[int, Between(1, 4)] = 3
    variant: Literal["bh1", "bh2"] = "bh2"
    corrector: bool = True
    threshold: Threshold = None

    reference = "arXiv 2302.04867"

    @property
    def convergence(self) -> int:
        return self.order + self.corrector

    def predictor_weights(self, grid):
        return lambda_weights(grid, self._counts(grid), 1, two_point=self.variant)

    def corrector_weights(self, grid):
        counts = [count + 1 for count in self._counts(grid)]
        return lambda_weights(grid, counts, 1, ahead=True, two_point=self.variant) if self.corrector else []

    def _counts(self, grid):
        n = len(grid) - 1
        return [min(i + 1, n - i, self.order) for i in range(n)]
