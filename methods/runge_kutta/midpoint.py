"""The midpoint rule in the noise level (arXiv 2206.00364)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._edm import EDM
from samplerbench.methods.runge_kutta._tableau import TABLEAUS


@register("midpoint")
@dataclass(frozen=True)
class Midpoint(EDM):
    r"""x' = x + (sigma' - sigma) d((sigma + sigma') / 2), half-way by Euler's step, in EDM's frame (eq. 3, table 2).

    It is the other end of EDM's second-order family from Heun's (appendix D.2, alpha = 1/2). Two evaluations a step,
    but one on the last, which is Euler's.
    """

    tableau = TABLEAUS["midpoint"]
    reference = "arXiv 2206.00364"
