"""Inpainting by flow matching."""

from dataclasses import dataclass

from samplerbench.methods.core.path import Linear
from samplerbench.methods.core.recipe import Denoising
from samplerbench.methods.core.registry import register


@register("inpaint")
@dataclass(frozen=True)
class InpaintRecipe(Denoising):
    """|| v(x_t, t, known, mask) - (eps - x0) ||^2 as in `flow`, given the rest of the image (2112.10752, section 4.5)."""

    path = Linear()
    target = "velocity"
    condition = "inpaint"
