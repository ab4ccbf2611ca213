"""Retrieval-augmented generation by flow matching."""

from dataclasses import dataclass

from samplerbench.methods.core.recipe import FlowMatching
from samplerbench.methods.core.registry import register


@register("retrieval")
@dataclass(frozen=True)
class RetrievalRecipe(FlowMatching):
    """|| v(x_t, t, neighbours) - (eps - x0) ||^2 as in `flow`, given features of similar images (2204.11824)."""

    condition = "retrieval"
