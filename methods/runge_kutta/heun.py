"""Heun's method in the noise level, with churn: the sampler of EDM (arXiv 2206.00364)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._edm import EDM
from samplerbench.methods.runge_kutta._tableau import TABLEAUS


@register("heun")
@dataclass(frozen=True)
class Heun(EDM):
    r"""x' = x + (sigma' - sigma) (d + d') / 2,  d' the slope at the end of Euler's step, in EDM's frame (algorithm 2).

    Two evaluations a step, but one on the last, which is Euler's.
    """

    tableau = TABLEAUS["heun"]
    reference = "arXiv 2206.00364"
