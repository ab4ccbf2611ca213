"""The probability-flow ODE of a diffusion model (arXiv 2011.13456, section 4.3)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._ode import ODE


@register("pf_ode")
@dataclass(frozen=True)
class PFODE(ODE):
    """dx/dt = alpha' x0(x, t) + sigma' eps(x, t) for a diffusion model; it has the marginals of the SDE (eq. 13)."""

    recipe = "ddpm"
    reference = "arXiv 2011.13456"
