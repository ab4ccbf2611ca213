"""Single-step exponential integrators, whose inner evaluations lie at fixed fractions of the interval in lambda."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor

from samplerbench.methods.core.coordinates import inner_points
from samplerbench.methods.core.field import Field, Prediction
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import Moment


@dataclass(frozen=True)
class SingleStep(Method, ABC):
    """A single-step method in lambda. Intervals that begin without signal or end without noise are DDIM steps."""

    recipe = "ddpm"
    grid = "logsnr"
    fractions: ClassVar[tuple[float, ...]]  # of the interval in lambda, where the inner evaluations lie

    @abstractmethod
    def advance(self, field: Field, p: Prediction, inner: Sequence[Moment], then: Moment) -> Tensor:
        """The state (B, C, H, W) at `then`, from the prediction p at the start and the inner moments."""

    def steps(self, field, x, times, noise):
        grid = field.path.along(times)
        points = inner_points(field.path, grid[:-1], grid[1:], self.fractions, "lambda")
        for (now, then), inner in zip(pairwise(grid), points, strict=True):
            p = field(x, now)
            x = self.advance(field, p, inner, then) if inner else p.mix(then.alpha, then.sigma)
            yield x
