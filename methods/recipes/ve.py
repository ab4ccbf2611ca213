"""Denoising score matching at geometric noise levels: NCSN and the VE SDE (arXiv 1907.05600, 2011.13456)."""

from dataclasses import dataclass

from samplerbench.methods.core.method import Recipe, regression_loss, uniform
from samplerbench.methods.core.path import VE
from samplerbench.methods.core.registry import register


@register("ve")
@dataclass(frozen=True)
class VERecipe(Recipe):
    """sigma^2 || s(x, sigma) - score ||^2 at sigma uniform in its logarithm, from 0.01 to 50 (1907.05600, eq. 5, 6).

    The network is s = -eps / sigma, which makes that || eps(x, sigma) - eps ||^2 (2006.09011, technique 3).
    """

    path = VE()
    target = "eps"

    def loss(self, field, x0, label, noise, teacher):
        return regression_loss(field, x0, label, uniform(noise, x0), noise)
