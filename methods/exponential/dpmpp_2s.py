"""DPM-Solver++(2S) (arXiv 2211.01095)."""

from dataclasses import dataclass

from samplerbench.methods.core.field import combination
from samplerbench.methods.core.registry import register
from samplerbench.methods.core.steps import x0_step
from samplerbench.methods.exponential._single_step import SingleStep


@register("dpmpp_2s")
@dataclass(frozen=True)
class DPMpp2S(SingleStep):
    r"""u = sigma_s/sigma x - alpha_s (e^(-h/2) - 1) x0(x);  x' = sigma'/sigma x - alpha' (e^-h - 1) x0(u, s) (alg. 1).

    s is the midpoint of the interval in lambda = log(alpha / sigma), so r = 1/2, and h its length. Two evaluations per
    step; one on an interval that begins without signal or ends without noise, which is a DDIM step.
    """

    order = 2
    fractions = (1 / 2,)
    reference = "arXiv 2211.01095"

    def advance(self, field, p, inner, then):
        (middle,) = inner
        x0 = field(p.mix(middle.alpha, middle.sigma), middle).x0
        keep, gain, _ = x0_step(p.now, then)
        return combination((keep, gain), (p.x, x0))
