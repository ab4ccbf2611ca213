"""DPM-Solver++(2S) (arXiv 2211.01095)."""

from dataclasses import dataclass
from itertools import pairwise

from samplerbench.methods.core.coordinates import inner_points
from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.registry import register
from samplerbench.methods.exponential._x0_multistep import x0_step


@register("dpmpp_2s")
@dataclass(frozen=True)
class DPMpp2S(Method):
    r"""u = sigma_s/sigma x - alpha_s (e^(-h/2) - 1) x0(x);  x' = sigma'/sigma x - alpha' (e^-h - 1) x0(u, s) (alg. 1).

    s is the middle of the interval in lambda = log(alpha / sigma), and h its length: r = 1/2. An interval that begins
    without signal or ends without noise is one step of DDIM. Two evaluations a step, but one on such intervals.
    """

    recipe = "ddpm"
    grid = "logsnr"
    order = 2
    reference = "arXiv 2211.01095"

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        middles = inner_points(field.path, grid[:-1], grid[1:], [1 / 2], "lambda")
        for (now, then), middle in zip(pairwise(grid), middles, strict=True):
            p = field(x, now)
            if middle:
                (s,) = middle
                keep, gain, _ = x0_step(now, then)
                x = combination((keep, gain), (x, field(p.mix(s.alpha, s.sigma), s).x0))
            else:
                x = p.mix(then.alpha, then.sigma)
            yield x
