from types import SimpleNamespace

import pytest


class Clock:
    """A clock that stands still until it is advanced."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """The clock that every stopwatch reads instead of the machine's."""
    clock = Clock()
    monkeypatch.setattr("samplerbench.sampling.timing.time", SimpleNamespace(perf_counter=clock))
    return clock
