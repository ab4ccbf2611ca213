"""Images of texts by flow matching."""

from dataclasses import dataclass

from samplerbench.methods.core.recipe import FlowMatching
from samplerbench.methods.core.registry import register


@register("text")
@dataclass(frozen=True)
class TextRecipe(FlowMatching):
    """|| v(x_t, t, text) - (eps - x0) ||^2 with attention to a caption (2112.10752, section 3.3)."""

    condition = "text"
