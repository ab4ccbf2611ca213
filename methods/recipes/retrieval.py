"""Retrieval-augmented generation by flow matching."""

from dataclasses import dataclass

from samplerbench.methods.core.path import Linear
from samplerbench.methods.core.recipe import Denoising
from samplerbench.methods.core.registry import register


@register("retrieval")
@dataclass(frozen=True)
class RetrievalRecipe(Denoising):
    """|| v(x_t, t, neighbours) - (eps - x0) ||^2 as in `flow`, given features of similar images (2204.11824)."""

    path = Linear()
    target = "velocity"
    condition = "retrieval"
