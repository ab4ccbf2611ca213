"""Autoguidance (arXiv 2406.02507)."""

from dataclasses import dataclass

from samplerbench.methods.core.guidance.base import Extrapolated, WeightedGuidance
from samplerbench.methods.core.registry import register


@register("auto")
@dataclass(frozen=True)
class AutoGuidance(WeightedGuidance):
    """p = p_weak + weight (p - p_weak), p_weak by a smaller network trained for fewer iterations (arXiv 2406.02507).

    low, high: active only where low < sigma / alpha <= high, with two evaluations there, one of them of the weaker
    network.
    """

    requires = frozenset()
    needs = "weak"

    def guide(self, field, guides):
        return Extrapolated(field, guides.weak, self)
