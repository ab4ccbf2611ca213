"""Knowledge distillation: noise to image by plain regression, the baseline of every student (arXiv 2101.02388)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import OneStep, OneStepRecipe


@register("knowledge")
@dataclass(frozen=True)
class KnowledgeRecipe(OneStepRecipe):
    """|| x0(eps) - x0 ||^2 at t = 1, on noise eps and the image x0 that `flow` makes of it (eq. 4)."""


@register("knowledge")
@dataclass(frozen=True)
class Knowledge(OneStep):
    """x0 = eps - v(eps, 1): one evaluation of a network that has learnt what its teacher makes of the noise."""

    recipe = "knowledge"
    reference = "arXiv 2101.02388"
