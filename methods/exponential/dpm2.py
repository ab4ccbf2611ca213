"""DPM-Solver-2 (arXiv 2206.00927)."""

from dataclasses import dataclass

from samplerbench.methods.core.field import combination
from samplerbench.methods.core.registry import register
from samplerbench.methods.core.steps import eps_step
from samplerbench.methods.exponential._single_step import SingleStep


@register("dpm2")
@dataclass(frozen=True)
class DPM2(SingleStep):
    r"""u = alpha_s/alpha x - sigma_s (e^(h/2) - 1) eps(x);  x' = alpha'/alpha x - sigma' (e^h - 1) eps(u, s) (alg. 1).

    s is the midpoint of the interval in lambda = log(alpha / sigma), and h its length. Two evaluations per step; one on
    an interval that begins without signal or ends without noise, which is a DDIM step.
    """

    order = 2
    fractions = (1 / 2,)
    reference = "arXiv 2206.00927"

    def advance(self, field, p, inner, then):
        (middle,) = inner
        eps = field(p.mix(middle.alpha, middle.sigma), middle).eps
        return combination(eps_step(p.now, then), (p.x, eps))
