"""DPM-Solver-3, single step (arXiv 2206.00927)."""

from dataclasses import dataclass
from math import expm1

from torch import Tensor

from samplerbench.methods.core.coordinates import half_log_snr
from samplerbench.methods.core.field import Prediction, combination
from samplerbench.methods.core.path import Moment
from samplerbench.methods.core.registry import register
from samplerbench.methods.exponential._single_step import SingleStep


@register("dpm3")
@dataclass(frozen=True)
class DPM3(SingleStep):
    r"""x' = alpha'/alpha x - sigma' (e^h - 1) eps - sigma'/r2 ((e^h - 1)/h - 1) (eps(u2, s2) - eps)  (algorithm 2).

    u1 is the DDIM step to s1; u2 = alpha_2/alpha x - sigma_2 (e^(r2 h) - 1) eps - sigma_2 r2/r1 ((e^(r2 h) - 1)/(r2 h)
    - 1) (eps(u1, s1) - eps). s1 and s2 lie at r1 = 1/3 and r2 = 2/3 of the interval in lambda. Three evaluations per
    step; one on an interval that begins without signal or ends without noise, which is a DDIM step.
    """

    order = 3
    fractions = (1 / 3, 2 / 3)
    reference = "arXiv 2206.00927"

    def advance(self, field, p, inner, then):
        s1, s2 = inner
        e1 = field(p.mix(s1.alpha, s1.sigma), s1).eps
        e2 = field(_step(p, e1, s2, ratio=2), s2).eps  # r2 / r1
        return _step(p, e2, then, ratio=3 / 2)  # 1 / r2


def _step(p: Prediction, later: Tensor, then: Moment, ratio: float) -> Tensor:
    """The step to `then`, given a `later` eps at 1 / `ratio` of the interval."""
    h = half_log_snr(then) - half_log_snr(p.now)
    curve = then.sigma * ratio * (expm1(h) / h - 1)
    return combination((then.alpha / p.now.alpha, curve - then.sigma * expm1(h), -curve), (p.x, p.eps, later))
