"""Super-resolution by flow matching."""

from dataclasses import dataclass

from samplerbench.methods.core.path import Linear
from samplerbench.methods.core.recipe import Denoising
from samplerbench.methods.core.registry import register


@register("superres")
@dataclass(frozen=True)
class SuperResolutionRecipe(Denoising):
    """|| v(x_t, t, small) - (eps - x0) ||^2 as in `flow`, given the image at a quarter of its resolution (2104.07636)."""

    path = Linear()
    target = "velocity"
    condition = "superres"
