"""Inpainting by flow matching."""

from dataclasses import dataclass

from samplerbench.methods.core.recipe import FlowMatching
from samplerbench.methods.core.registry import register


@register("inpaint")
@dataclass(frozen=True)
class InpaintRecipe(FlowMatching):
    """|| v(x_t, t, known, mask) - (eps - x0) ||^2 given the rest of the image (2112.10752, section 4.5)."""

    condition = "inpaint"
