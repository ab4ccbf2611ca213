"""Score matching on the sub-VP SDE (arXiv 2011.13456)."""

from dataclasses import dataclass

from samplerbench.methods.core.path import SubVP
from samplerbench.methods.core.recipe import Denoising
from samplerbench.methods.core.registry import register


@register("subvp")
@dataclass(frozen=True)
class SubVPRecipe(Denoising):
    """|| eps(x_t, t) - eps ||^2 = sigma^2 || s(x_t, t) - score ||^2 with t uniform (eq. 7)."""

    path = SubVP()
    target = "eps"
