"""Score matching on the sub-VP SDE (arXiv 2011.13456)."""

from dataclasses import dataclass

from samplerbench.methods.core.method import Recipe, regression_loss, uniform
from samplerbench.methods.core.path import SubVP
from samplerbench.methods.core.registry import register


@register("subvp")
@dataclass(frozen=True)
class SubVPRecipe(Recipe):
    """|| eps(x_t, t) - eps ||^2, which is sigma^2 || s(x_t, t) - score ||^2, with t uniform (eq. 7)."""

    path = SubVP()
    target = "eps"

    def loss(self, field, x0, label, noise, teacher):
        return regression_loss(field, x0, label, uniform(noise, x0), noise)
