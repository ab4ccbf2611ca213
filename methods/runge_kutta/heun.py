"""Heun's method in the noise level, with churn: the sampler of EDM (arXiv 2206.00364)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.runge_kutta._edm import EDM
from samplerbench.methods.runge_kutta._tableau import TABLEAUS


@register("heun")
@dataclass(frozen=True)
class Heun(EDM):
    r"""x' = x + (sigma' - sigma) (d + d') / 2,  d' the slope after an Euler step, in EDM's frame (algorithm 2).

    Two evaluations per step; one on the last, which is an Euler step.
    """

    tableau = TABLEAUS["heun"]
    reference = "arXiv 2206.00364"
