"""Classifier-free guidance (arXiv 2207.12598)."""

from dataclasses import dataclass, replace
from math import inf

from samplerbench.methods.core.guidance.base import Extrapolated, WeightedGuidance
from samplerbench.methods.core.registry import register


@register("cfg")
@dataclass(frozen=True)
class ClassifierFree(WeightedGuidance):
    """p = p_null + weight (p_label - p_null); weight 1 is the conditional model, 0 the unconditional (2207.12598).

    low, high: active only where low < sigma / alpha <= high (arXiv 2404.07724), with two evaluations there. Weights 0
    and 1 take a single evaluation.
    """

    requires = frozenset({"labels", "unlabelled"})

    def __str__(self) -> str:
        """Just the weight if it is active everywhere, as on the command line."""
        return f"{self.weight:.15g}" if (self.low, self.high) == (0, inf) else super().__str__()

    def guide(self, field, guides):
        return Extrapolated(field, replace(field, label=None), self)
