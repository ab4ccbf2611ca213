"""Denoising score matching at geometric noise levels: NCSN and the VE SDE (arXiv 1907.05600, 2011.13456)."""

from dataclasses import dataclass

from samplerbench.methods.core.path import VE
from samplerbench.methods.core.recipe import Denoising
from samplerbench.methods.core.registry import register


@register("ve")
@dataclass(frozen=True)
class VERecipe(Denoising):
    """sigma^2 || s(x, sigma) - score ||^2 with log sigma uniform, sigma from 0.01 to 50 (1907.05600, eq. 5, 6).

    With s = -eps / sigma, this is || eps(x, sigma) - eps ||^2 (2006.09011, technique 3).
    """

    path = VE()
    target = "eps"
