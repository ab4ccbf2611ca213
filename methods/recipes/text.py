"""Images of texts by flow matching."""

from dataclasses import dataclass

from samplerbench.methods.core.path import Linear
from samplerbench.methods.core.recipe import Denoising
from samplerbench.methods.core.registry import register


@register("text")
@dataclass(frozen=True)
class TextRecipe(Denoising):
    """|| v(x_t, t, text) - (eps - x0) ||^2 as in `flow`, with cross-attention to a caption (2112.10752, section 3.3)."""

    path = Linear()
    target = "velocity"
    condition = "text"
