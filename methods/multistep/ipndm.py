"""iPNDM, the improved pseudo linear multistep method (arXiv 2204.13902)."""

from dataclasses import dataclass
from typing import Literal

from samplerbench.methods.core.registry import register
from samplerbench.methods.multistep._eps_multistep import EpsMultistep, time_weights

# The weights on evenly spaced times (Adams-Bashforth), newest first.
EVEN = {1: [1.0], 2: [3 / 2, -1 / 2], 3: [23 / 12, -16 / 12, 5 / 12], 4: [55 / 24, -59 / 24, 37 / 24, -9 / 24]}


@register("ipndm")
@dataclass(frozen=True)
class IPNDM(EpsMultistep):
    r"""A DDIM step with (55 eps_i - 59 eps_{i-1} + 37 eps_{i-2} - 9 eps_{i-3}) / 24 for eps (appendix).

    These are the weights on evenly spaced times. On others, they are computed as the mean over t of the polynomial
    through the last `order` eps. The first steps are of lower order, where PNDM takes Runge-Kutta steps. The DDIM step
    is exact in sigma / alpha, not in t, so the method converges with order 2 even for `order` 4 (arXiv 2202.09778). One
    evaluation per step.
    spacing: whether the weights are those of the grid, or the ones above on any grid ("even", as published figures on
    EDM's grid have it).
    """

    spacing: Literal["grid", "even"] = "grid"

    grid = "quadratic"
    reference = "arXiv 2204.13902"

    @property
    def convergence(self) -> int:
        return min(self.order, 2)

    def weights(self, path, grid):
        if self.spacing == "even":
            return [EVEN[count] for count in self.counts(grid)]
        return time_weights(path, grid, self.counts(grid), measure="t")
