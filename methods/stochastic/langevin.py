"""Annealed Langevin dynamics (arXiv 1907.05600)."""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Annotated

from samplerbench.methods.core.coordinates import has_signal
from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.registry import register


@register("langevin")
@dataclass(frozen=True)
class Langevin(Method):
    r"""x + a/2 score + sqrt(a) z,  a = step sigma^2, `inner` times at each noise level sigma (algorithm 1).

    In NCSN's frame x / alpha, sigma / alpha, so it runs on any Gaussian path. step: epsilon / sigma_L^2 of the paper,
    2e-5 / 0.01^2. inner: its T (NCSN: 100 on 10 levels; NCSNv2, arXiv 2006.09011: 5 on 232). The last interval, and a
    first one without signal, is a DDIM step without noise. `inner` evaluations per step, and 1 on DDIM steps.
    """

    inner: Annotated[int, Between(1, 1000)] = 5
    step: Annotated[float, Between(1e-6, 2)] = 0.2

    recipe = "ddpm"
    grid = "logsnr"
    reference = "arXiv 1907.05600"

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            if then.t > 0 and has_signal(now):
                for _ in range(self.inner):
                    factors = (1, -self.step / 2 * now.sigma, sqrt(self.step) * now.sigma)
                    x = combination(factors, (x, field(x, now).eps, noise(x)))
                x = (then.alpha / now.alpha) * x
            else:
                x = field(x, now).mix(then.alpha, then.sigma)
            yield x
