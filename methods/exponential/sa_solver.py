"""SA-Solver, stochastic Adams methods (arXiv 2309.05019)."""

from dataclasses import dataclass
from typing import Annotated

from samplerbench.methods.core.multistep_weights import lambda_weights
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register
from samplerbench.methods.exponential._x0_multistep import X0Multistep


@register("sa_solver")
@dataclass(frozen=True)
class SASolver(X0Multistep):
    r"""x' = sigma'/sigma e^(-tau^2 h) x + sum_k b_k x0_k + sigma' sqrt(1 - e^(-2 tau^2 h)) z.

    b_k = alpha' (1 + tau^2) int_0^h e^((1 + tau^2)(u - h)) l_k(u) du, with l_k the Lagrange basis through the last
    `order` evaluations. The corrector, with the same z, adds the one at x', which the next step needs anyway. With two
    evaluations, the factor of their difference is simplified as in the authors' code (bh1 of `unipc`). The order rises
    over the first steps and falls over the last. On a first interval without signal, the corrector gives all weight to
    the x0 at x'. One evaluation per step.
    """

    order: Annotated[int, Between(1, 4)] = 3
    corrector: Annotated[int, Between(0, 4)] = 4  # the number of evaluations it uses; 0 for no corrector
    tau: Annotated[float, Between(0, 2)] = 1.0

    reference = "arXiv 2309.05019"

    @property
    def eta(self) -> float:
        return self.tau**2

    @property
    def convergence(self) -> int | None:
        return None if self.tau else min(self.corrector or self.order, self.order + 1)

    def predictor_weights(self, grid):
        return self._weights(grid, self.order, ahead=False)

    def corrector_weights(self, grid):
        return self._weights(grid, self.corrector, ahead=True) if self.corrector else []

    def _weights(self, grid, order, ahead):
        counts = [min(i + 1 + ahead, len(grid) - 1 - i + ahead, order) for i in range(len(grid) - 1)]
        return lambda_weights(grid, counts, 1 + self.eta, ahead, two_point="bh1")
