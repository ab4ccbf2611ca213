"""Multistep exponential integrators of the diffusion SDE in lambda, with x0 as the slope.

x_t = (sigma_t / sigma_s) e^(-eta h) x_s + alpha_t (1 - e^(-(1 + eta) h)) mean(x0) + sigma_t sqrt(1 - e^(-2 eta h)) z,
h = lambda_t - lambda_s, is exact if mean(x0) is the mean over the interval under the measure e^((1 + eta) lambda)
d lambda. A method chooses the polynomial whose mean it takes (arXiv 2211.01095, 2309.05019).
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.multistep_weights import Weights
from samplerbench.methods.core.path import Moment
from samplerbench.methods.core.plugin import Between
from samplerbench.methods.core.steps import x0_step

MOST = 2**24  # numbers of which torch.quantile finds one
Threshold = Annotated[float | None, Between(0.5, 1)]


class X0Multistep(Method, ABC):
    """A multistep method on x0, with an optional corrector that reuses the next step's evaluation."""

    recipe = "ddpm"
    grid = "logsnr"

    @property
    def eta(self) -> float:
        """The eta of the SDE above; 0 for the ODE."""
        return 0.0

    @property
    def threshold(self) -> float | None:
        """The quantile of dynamic thresholding; None for none."""
        return None

    @property
    def convergence(self) -> int | None:
        return None if self.eta else self.order

    @abstractmethod
    def predictor_weights(self, grid: Sequence[Moment]) -> Weights:
        """The weights of the last x0 in each interval, newest first; they sum to 1."""

    def corrector_weights(self, grid: Sequence[Moment]) -> Weights:
        """The same, starting with the x0 at the end of the interval; empty for no corrector."""
        return []

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        predictor = self.predictor_weights(grid)
        corrector = self.corrector_weights(grid) or [[] for _ in predictor]
        x0s: deque[Tensor] = deque(maxlen=max(map(len, predictor + corrector)))
        step: _Step | None = None
        # An interval's corrector needs the x0 at its end, so it runs at the start of the next interval.
        for (now, then), weights, correction in zip(pairwise(grid), predictor, [[], *corrector[:-1]], strict=True):
            x0 = field(x, now).x0
            x0s.appendleft(x0 if self.threshold is None else thresholded(x0, self.threshold))
            if step and correction:
                x = step.end(x0s, correction)
            keep, gain, std = x0_step(now, then, self.eta)
            step = _Step(x, keep, gain, std, noise(x) if std and then.t > 0 else None)
            x = step.end(x0s, weights)
            yield x


def thresholded(x0: Tensor, quantile: float) -> Tensor:
    """Dynamic thresholding (arXiv 2205.11487, section 2.3): x0 (B, C, H, W) clipped to [-s, s] and divided by s.

    s: of each image, that quantile of its absolute values, or 1 if that is larger.
    """
    rows = x0.abs().flatten(1).split(max(1, MOST // x0[0].numel()))
    s = torch.cat([torch.quantile(part, quantile, dim=1) for part in rows]).clamp(min=1)
    s = s.view(-1, 1, 1, 1)
    return torch.minimum(torch.maximum(x0, -s), s) / s


class _Step(NamedTuple):
    """One interval from the state x, with the noise z that predictor and corrector share."""

    x: Tensor
    keep: float
    gain: float
    std: float
    z: Tensor | None

    def end(self, x0s: Iterable[Tensor], weights: Sequence[float]) -> Tensor:
        """The state after the interval, with the weighted mean of x0s (newest first) for mean(x0)."""
        factors, terms = [self.keep, *(self.gain * w for w in weights)], [self.x, *islice(x0s, len(weights))]
        return combination(factors, terms) if self.z is None else combination([*factors, self.std], [*terms, self.z])
