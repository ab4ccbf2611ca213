"""DPM-Solver-2 (arXiv 2206.00927)."""

from dataclasses import dataclass
from itertools import pairwise

from samplerbench.methods.core.coordinates import inner_points
from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.registry import register
from samplerbench.methods.multistep._eps_multistep import eps_step


@register("dpm2")
@dataclass(frozen=True)
class DPM2(Method):
    r"""u = alpha_s/alpha x - sigma_s (e^(h/2) - 1) eps(x);  x' = alpha'/alpha x - sigma' (e^h - 1) eps(u, s) (alg. 1).

    s is the middle of the interval in lambda = log(alpha / sigma), and h its length. An interval that begins without
    signal or ends without noise is one step of DDIM. Two evaluations a step, but one on such intervals.
    """

    recipe = "ddpm"
    grid = "logsnr"
    order = 2
    reference = "arXiv 2206.00927"

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        middles = inner_points(field.path, grid[:-1], grid[1:], [1 / 2], "lambda")
        for (now, then), middle in zip(pairwise(grid), middles, strict=True):
            p = field(x, now)
            if middle:
                (s,) = middle
                x = combination(eps_step(now, then), (x, field(p.mix(s.alpha, s.sigma), s).eps))
            else:
                x = p.mix(then.alpha, then.sigma)
            yield x
