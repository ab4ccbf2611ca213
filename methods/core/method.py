"""A Method defines how images are sampled."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor

from samplerbench.methods.core.field import Field
from samplerbench.methods.core.plugin import Plugin
from samplerbench.methods.core.recipe import Noise


class Method(Plugin, ABC):
    """A sampling method. `order` and `adaptive` may be set as class attributes, or overridden as properties.

    recipe: the recipe whose checkpoint it runs on by default.
    grid: its default time grid; None if its times are fixed.
    reference: the paper that defines it.
    requires: the capabilities it needs of the network, from `capabilities.CAPABILITIES`.
    step_counts: the supported numbers of steps; None for any.
    """

    recipe: ClassVar[str]
    grid: ClassVar[str | None] = "uniform"
    reference: ClassVar[str] = ""
    requires: ClassVar[frozenset[str]] = frozenset()
    step_counts: ClassVar[tuple[int, ...] | None] = None

    @property
    def order(self) -> int | None:
        """Order of convergence of the global error; None for a stochastic or adaptive method.

        It holds between two times in the middle of the path. From noise to data, the first and the last interval, which
        are of lower order on most paths, can dominate the error.
        """
        return None

    @property
    def convergence(self) -> int | None:
        """The order that the tests fit. It differs from `order` if that is an option with another meaning."""
        return self.order

    @property
    def adaptive(self) -> bool:
        """Whether it chooses its own steps, so that neither a step count nor a grid applies."""
        return False

    @property
    def takes_grid(self) -> bool:
        """Whether the time grid can be chosen."""
        return self.grid is not None and not self.adaptive

    def unsupported(self, steps: int | None) -> str:
        """Why it does not support this number of steps; empty if it does."""
        if self.step_counts is None or steps in self.step_counts:
            return ""
        *others, last = map(str, sorted(self.step_counts))
        counts = f"{', '.join(others)} or {last} steps" if others else f"{last} step" + "s" * (last != "1")
        return f"it supports {counts} only"

    def nearest_steps(self, steps: int) -> int | None:
        """The supported number of steps closest to `steps`; None for an adaptive method."""
        return None if self.adaptive else min(self.step_counts or [steps], key=lambda count: abs(count - steps))

    def checkpoint(self, steps: int | None) -> str:
        """The recipe whose checkpoint it runs on with this number of steps."""
        return self.recipe

    @abstractmethod
    def steps(self, field: Field, x: Tensor, times: Tensor, noise: Noise) -> Iterator[Tensor]:
        """Yield the state after each interval of `times` (n + 1,), from the state x (B, C, H, W) at the first time."""
