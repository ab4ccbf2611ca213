"""v-prediction on the cosine schedule (arXiv 2202.00512, 2102.09672)."""

from dataclasses import dataclass

from samplerbench.methods.core.path import Cosine
from samplerbench.methods.core.recipe import Denoising
from samplerbench.methods.core.registry import register


@register("v_cosine")
@dataclass(frozen=True)
class VCosineRecipe(Denoising):
    """|| v(x_t, t) - (alpha eps - sigma x0) ||^2 with t uniform: the SNR + 1 weighting (2202.00512, section 4)."""

    path = Cosine()
    target = "v"
