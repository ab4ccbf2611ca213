"""The linear multistep method in the noise level (arXiv 2206.00364)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.multistep._eps_multistep import EpsMultistep, sigma_weights


@register("lms")
@dataclass(frozen=True)
class LMS(EpsMultistep):
    r"""x' = x + sum_j d_j int_sigma^sigma' l_j(s) ds, in EDM's frame x / alpha, sigma / alpha, with d = eps.

    Adams-Bashforth for dx/dsigma = d (eq. 3), with l_j the Lagrange basis through the noise levels of the last `order`
    evaluations. The same as `deis[space=rho]` (arXiv 2204.13902). One evaluation per step.
    """

    grid = "karras"
    reference = "arXiv 2206.00364"

    def weights(self, path, grid):
        return sigma_weights(grid, self.counts(grid))
