"""iPNDM, the improved pseudo linear multistep method (arXiv 2204.13902)."""

from dataclasses import dataclass

from samplerbench.methods.core.registry import register
from samplerbench.methods.multistep._eps_multistep import EpsMultistep, time_weights


@register("ipndm")
@dataclass(frozen=True)
class IPNDM(EpsMultistep):
    r"""A DDIM step with (55 eps_i - 59 eps_{i-1} + 37 eps_{i-2} - 9 eps_{i-3}) / 24 for eps (appendix).

    These are the weights on evenly spaced times. On others, they are computed as the mean over t of the polynomial
    through the last `order` eps. The first steps are of lower order, where PNDM takes Runge-Kutta steps. The DDIM step
    is exact in sigma / alpha, not in t, so the method converges with order 2 even for `order` 4 (arXiv 2202.09778). One
    evaluation per step.
    """

    grid = "quadratic"
    reference = "arXiv 2204.13902"

    @property
    def convergence(self) -> int:
        return min(self.order, 2)

    def weights(self, path, grid):
        return time_weights(path, grid, self.counts(grid), measure="t")
