"""Super-resolution by flow matching."""

from dataclasses import dataclass

from samplerbench.methods.core.recipe import FlowMatching
from samplerbench.methods.core.registry import register


@register("superres")
@dataclass(frozen=True)
class SuperResolutionRecipe(FlowMatching):
    """|| v(x_t, t, small) - (eps - x0) ||^2 given a quarter of the resolution (2104.07636)."""

    condition = "superres"
