"""Samplers with a known fault, to test whether the gate fires."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from samplerbench.methods import Method

SLOWER = 0.2  # the injected slowdown, as a fraction


@dataclass(frozen=True)
class Faulty(Method, ABC):
    """A sampler with a fault, under the sampler's own name.

    description: of the fault. silent: whether the gate should not fire. timed: whether the fault shows in the timings.
    """

    inner: Method

    description: ClassVar[str]
    silent: ClassVar[bool] = False
    timed: ClassVar[bool] = False

    @property
    def name(self) -> str:  # type: ignore[override]  # a class attribute of other plug-ins
        return self.inner.name

    @property
    def options(self) -> str:
        return self.inner.options

    @abstractmethod
    def steps(self, field, x, times, noise): ...


@dataclass(frozen=True)
class Same(Faulty):
    """The sampler itself, which the gate must let pass."""

    description = "the same code again"
    silent = timed = True

    def steps(self, field, x, times, noise):
        yield from self.inner.steps(field, x, times, noise)


@dataclass(frozen=True)
class RoundingNoise(Faulty):
    """Noise of the size of rounding errors at low precision, which the gate must let pass too."""

    level: float = 1e-4

    description = "noise only: rounding errors of 1e-4 in every step"
    silent = True

    def steps(self, field, x, times, noise):
        for state in self.inner.steps(field, x, times, noise):
            yield state + self.level * noise(state)


@dataclass(frozen=True)
class ExtraEvaluation(Faulty):
    """One evaluation of the network more, whose result is not used."""

    description = "slower: one extra evaluation"

    def steps(self, field, x, times, noise):
        field(x, field.path.along(times)[0])
        yield from self.inner.steps(field, x, times, noise)


@dataclass(frozen=True)
class Slower(Faulty):
    """Every step waits for another fifth of its time. clock: seconds."""

    clock: Callable[[], float] = time.perf_counter

    description = f"slower: {100 * SLOWER:.0f} % more time in every step"
    timed = True

    def steps(self, field, x, times, noise):
        start = self.clock()
        for state in self.inner.steps(field, x, times, noise):
            until = start + (1 + SLOWER) * (self.clock() - start)
            while self.clock() < until:
                pass
            yield state
            start = self.clock()


@dataclass(frozen=True)
class WrongLastStep(Faulty):
    """Every state comes one step late, so that the last step has no effect."""

    description = "worse: the last step is left out"

    def steps(self, field, x, times, noise):
        last = x
        for state in self.inner.steps(field, x, times, noise):
            yield last
            last = state


@dataclass(frozen=True)
class ShuffledGrid(Faulty):
    """Two neighbouring times in the middle of the grid are swapped."""

    description = "worse: two times of the grid are swapped"

    def steps(self, field, x, times, noise):
        middle = len(times) // 2
        order = [*range(middle), middle + 1, middle, *range(middle + 2, len(times))]
        yield from self.inner.steps(field, x, times[order], noise)


@dataclass(frozen=True)
class WorseImages(Faulty):
    """Pixel noise in the finished images. level: its standard deviation."""

    level: float = 0.0

    description = "worse: slight noise in the images, enough for a 10 % higher FID"

    def steps(self, field, x, times, noise):
        for number, state in enumerate(self.inner.steps(field, x, times, noise), start=2):
            yield state if number < len(times) else state.clamp(-1, 1) + self.level * noise(state)
