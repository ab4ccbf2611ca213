"""Multistep exponential integrators of the diffusion SDE in lambda, with x0 as the slope.

x_t = (sigma_t / sigma_s) e^(-eta h) x_s + alpha_t (1 - e^(-(1 + eta) h)) mean(x0) + sigma_t sqrt(1 - e^(-2 eta h)) z,
h = lambda_t - lambda_s, is exact if mean(x0) is that over the interval under the measure e^((1 + eta) lambda) d lambda.
A method chooses the polynomial whose mean it takes (arXiv 2211.01095, 2309.05019).
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from itertools import islice, pairwise, zip_longest
from math import sqrt
from typing import ClassVar

from torch import Tensor

from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.multistep_weights import Weights
from samplerbench.methods.core.path import Moment


def x0_step(now: Moment, then: Moment, eta: float = 0.0) -> tuple[float, float, float]:
    """The coefficients of x, of mean(x0) and of z. They hold also where there is no signal or no noise."""
    decay = now.alpha * then.sigma / (then.alpha * now.sigma)  # e^-h
    return (
        then.sigma / now.sigma * decay**eta,
        then.alpha * (1 - decay ** (1 + eta)),
        then.sigma * sqrt(1 - decay ** (2 * eta)),
    )


class X0Multistep(Method, ABC):
    """A multistep method on x0, with or without a corrector that uses the evaluation of the next step."""

    recipe = "ddpm"
    grid = "logsnr"
    eta: ClassVar[float] = 0.0

    @property
    def noise_level(self) -> float:
        """The eta above."""
        return self.eta

    @property
    def convergence(self) -> int | None:
        return None if self.noise_level else self.order

    @abstractmethod
    def predictor_weights(self, grid: Sequence[Moment]) -> Weights:
        """For each interval the weights of the last x0, newest first, which sum to 1."""

    def corrector_weights(self, grid: Sequence[Moment]) -> Weights:
        """The same with the x0 at the interval's end before them; none of them means no corrector."""
        return []

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        predictor, corrector = self.predictor_weights(grid), self.corrector_weights(grid)
        x0s: deque[Tensor] = deque(maxlen=max(map(len, predictor + corrector)))
        correction = None
        for (now, then), weights, next_correction in zip_longest(pairwise(grid), predictor, corrector):
            x0s.appendleft(field(x, now).x0)
            if correction:
                x = _advance(coefficients, start, x0s, correction, z)  # noqa: F821, they are those of the last step

            coefficients, start, correction = x0_step(now, then, self.noise_level), x, next_correction
            z = noise(x) if coefficients[2] and then.t > 0 else None
            x = _advance(coefficients, start, x0s, weights, z)
            yield x


def _advance(coefficients: tuple[float, float, float], x: Tensor, x0s, weights: list[float], z: Tensor | None):
    keep, gain, std = coefficients
    factors, terms = [keep, *(gain * w for w in weights)], [x, *islice(x0s, len(weights))]
    return combination(factors, terms) if z is None else combination([*factors, std], [*terms, z])
