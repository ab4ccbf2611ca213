"""Knowledge distillation: regression from noise to image, the baseline of all students (arXiv 2101.02388)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import OneStep, OneStepRecipe


@register("knowledge")
@dataclass(frozen=True)
class KnowledgeRecipe(OneStepRecipe):
    """|| x0(eps) - x0 ||^2 at t = 1, for noise eps and the image x0 that `flow` makes of it (eq. 4)."""


@register("knowledge")
@dataclass(frozen=True)
class Knowledge(OneStep):
    """x0 = eps - v(eps, 1), in one evaluation of a network trained on noise and images of its teacher."""

    recipe = "knowledge"
    reference = "arXiv 2101.02388"
