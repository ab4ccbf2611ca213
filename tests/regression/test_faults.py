"""Each fault does to a sampler exactly what its description says."""

from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace

import pytest
import torch

from samplerbench.methods import Method
from samplerbench.regression.faults import (
    ExtraEvaluation,
    RoundingNoise,
    Same,
    ShuffledGrid,
    Slower,
    WorseImages,
    WrongLastStep,
)


@dataclass(frozen=True)
class Counting(Method):
    """Adds the end of each interval to the state; `seconds` pass in every step."""

    clock: SimpleNamespace
    seconds: float = 2.0

    name = "counting"
    recipe = "ddpm"

    def steps(self, field, x, times, noise):
        for time in times[1:]:
            self.clock.now += self.seconds
            x = x + time
            yield x


@pytest.fixture
def inner():
    return Counting(SimpleNamespace(now=0.0))


X, TIMES = torch.zeros(1), torch.tensor([4.0, 3.0, 2.0, 1.0])


def states(method: Method, field=None, noise=torch.ones_like) -> list[float]:
    return [state.item() for state in method.steps(field, X, TIMES, noise)]


def test_the_faulty_sampler_goes_by_the_same_name(inner):
    assert str(WrongLastStep(inner)) == str(inner)
    assert states(Same(inner)) == states(inner) == [3.0, 5.0, 6.0]


def test_noise_is_added_to_every_state_and_not_accumulated(inner):
    assert states(RoundingNoise(inner)) == pytest.approx([3.0001, 5.0001, 6.0001], abs=1e-6)


def test_the_extra_evaluation_changes_nothing_else(inner):
    calls = []

    class Field:
        path = SimpleNamespace(along=list)

        def __call__(self, x, now):
            calls.append(now)

    assert states(ExtraEvaluation(inner), Field()) == states(inner)
    assert calls == [4.0]


def test_the_last_step_is_left_out(inner):
    assert states(WrongLastStep(inner)) == [0.0, 3.0, 5.0]


def test_two_times_in_the_middle_are_swapped(inner):
    assert states(ShuffledGrid(inner)) == [3.0, 4.0, 6.0]


def test_only_the_finished_images_get_worse(inner):
    assert states(WorseImages(inner, level=0.5)) == [3.0, 5.0, 1.5], "clipped to [-1, 1], plus the noise"


def test_every_step_takes_a_fifth_longer(inner):
    """The clock ticks at each reading, and stands still between them but for the steps."""
    tick, readings = 0.001, count()
    clock = inner.clock

    def read() -> float:
        next(readings)
        clock.now += tick
        return clock.now

    assert states(Slower(inner, read)) == [3.0, 5.0, 6.0]
    assert clock.now == pytest.approx(3 * 2.0 * 1.2, abs=20 * tick)
    assert next(readings) >= 3 * 0.4 / tick, "it waits by reading the clock"
