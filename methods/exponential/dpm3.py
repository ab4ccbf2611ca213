"""DPM-Solver-3, single step (arXiv 2206.00927)."""

from dataclasses import dataclass
from itertools import pairwise
from math import expm1

from samplerbench.methods.core.coordinates import half_log_snr, inner_points
from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.registry import register


@register("dpm3")
@dataclass(frozen=True)
class DPM3(Method):
    r"""x' = alpha'/alpha x - sigma' (e^h - 1) eps - sigma'/r2 ((e^h - 1)/h - 1) (eps(u2, s2) - eps)  (algorithm 2).

    u1 is DDIM's at s1, u2 = alpha_2/alpha x - sigma_2 (e^(r2 h) - 1) eps - sigma_2 r2/r1 ((e^(r2 h) - 1)/(r2 h) - 1)
    (eps(u1, s1) - eps); r1 = 1/3, r2 = 2/3 of the interval in lambda. One evaluation, DDIM, without signal or noise.
    """

    recipe = "ddpm"
    grid = "logsnr"
    order = 3
    reference = "arXiv 2206.00927"

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        inner = inner_points(field.path, grid[:-1], grid[1:], [1 / 3, 2 / 3], "lambda")
        for (now, then), points in zip(pairwise(grid), inner, strict=True):
            p = field(x, now)
            x = _third_order(field, p, *points, then) if points else p.mix(then.alpha, then.sigma)
            yield x


def _third_order(field, p, s1, s2, then):
    e1 = field(p.mix(s1.alpha, s1.sigma), s1).eps
    e2 = field(_step(p, e1, s2, ratio=2), s2).eps  # r2 / r1
    return _step(p, e2, then, ratio=3 / 2)  # 1 / r2


def _step(p, later, then, ratio):
    h = half_log_snr(then) - half_log_snr(p.now)
    curve = then.sigma * ratio * (expm1(h) / h - 1)
    return combination((then.alpha / p.now.alpha, curve - then.sigma * expm1(h), -curve), (p.x, p.eps, later))
