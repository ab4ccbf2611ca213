"""DEIS, the diffusion exponential integrator sampler (arXiv 2204.13902)."""

from dataclasses import dataclass
from typing import Literal

from samplerbench.methods.core.multistep_weights import lambda_weights
from samplerbench.methods.core.registry import register
from samplerbench.methods.multistep._eps_multistep import EpsMultistep, sigma_weights, time_weights


@register("deis")
@dataclass(frozen=True)
class DEIS(EpsMultistep):
    r"""x' = alpha'/alpha x + alpha' sum_j eps_j int l_j(t) d(sigma/alpha),  l_j through the last `order` eps (eq. 14).

    space: the variable of the polynomials: t (tAB-DEIS), rho = sigma / alpha (rhoAB-DEIS), or log rho, as in diffusers,
    where a step that ends without noise is a DDIM step. One evaluation per step.
    """

    space: Literal["t", "rho", "log_rho"] = "t"

    grid = "quadratic"
    reference = "arXiv 2204.13902"

    def weights(self, path, grid):
        if self.space == "t":
            return time_weights(path, grid, self.counts(grid), measure="sigma")
        if self.space == "rho":
            return sigma_weights(grid, self.counts(grid))
        return lambda_weights(grid, self.counts(grid), rate=-1)
