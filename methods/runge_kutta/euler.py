"""Euler's method in the noise level, with churn (arXiv 2206.00364)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._edm import EDM
from samplerbench.methods.runge_kutta._tableau import TABLEAUS


@register("euler")
@dataclass(frozen=True)
class Euler(EDM):
    r"""x' = x + (sigma' - sigma) d,  d = (x - D(x; sigma)) / sigma, in EDM's frame x / alpha, sigma / alpha (eq. 3).

    Without churn, this is DDIM. One evaluation per step.
    """

    tableau = TABLEAUS["euler"]
    reference = "arXiv 2206.00364"
