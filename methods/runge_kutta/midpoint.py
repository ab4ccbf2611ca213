"""The midpoint rule in the noise level (arXiv 2206.00364)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._edm import EDM
from samplerbench.methods.runge_kutta._tableau import TABLEAUS


@register("midpoint")
@dataclass(frozen=True)
class Midpoint(EDM):
    r"""x' = x + (sigma' - sigma) d((sigma + sigma') / 2), after an Euler half-step, in EDM's frame (eq. 3, table 2).

    The member alpha = 1/2 of EDM's second-order family, of which Heun's method is alpha = 1 (appendix D.2). Two
    evaluations per step; one on the last, which is an Euler step.
    """

    tableau = TABLEAUS["midpoint"]
    reference = "arXiv 2206.00364"
