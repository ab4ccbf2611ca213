"""Small sweeps on the digits: their options, and one of them that several tests look at."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

import samplerbench
from samplerbench.methods import METHODS, Method, register
from samplerbench.store.columns import CELL_OF_RUN
from samplerbench.store.stored_rows import read_results
from samplerbench.sweep.engine.base import ENGINES, Engine, Pool, Ready
from samplerbench.sweep.engine.worker import Worker
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session

OPTIONS = {"samples": 80, "batch_size": 40, "steps": "2"}


@pytest.fixture
def quick() -> dict:
    """Options of a sweep that takes a second."""
    return dict(OPTIONS)


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """The frame of a timed run of ddim and flow. Read only."""
    folder = tmp_path_factory.mktemp("runs") / "measured"
    return samplerbench.run(methods="ddim,flow", output=str(folder), **OPTIONS)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """The test runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def broken():
    """Methods that fail in the ways methods do: `raises`, `explodes`, `interrupted`."""

    @dataclass(frozen=True)
    class Raises(Method):
        recipe = "ddpm"

        def steps(self, field, x, times, noise):
            raise RuntimeError("the sampler\nbroke")
            yield

    @dataclass(frozen=True)
    class Explodes(Method):
        recipe = "ddpm"

        def steps(self, field, x, times, noise):
            yield from (x / 0 for _ in times[1:])

    @dataclass(frozen=True)
    class Interrupted(Method):
        recipe = "ddpm"

        def steps(self, field, x, times, noise):
            raise KeyboardInterrupt
            yield

    with METHODS.temporarily():
        for name, cls in (("raises", Raises), ("explodes", Explodes), ("interrupted", Interrupted)):
            register(name)(cls)
        yield


def _measure(output: Path, **options) -> tuple[pd.DataFrame, list]:
    events = list(Session(Sweep(output=output, **options)).execute())
    return read_results(output).sort_values(CELL_OF_RUN, ignore_index=True), events


@pytest.fixture(scope="session")
def measure():
    """measure(output, **options): the rows of a sweep, in a fixed order, and its events."""
    return _measure


class Inline(Pool):
    """Workers of this process, which answer at once, unless a message for a unit is prepared in `answers`."""

    size = 2

    def __init__(self):
        self.answers, self.sent, self.messages, self.closed = {}, [], [], 0

    def start(self, slot):
        self.messages.append((worker := object(), Ready()))
        return worker

    def send(self, worker, unit):
        self.sent.append((unit.place, unit.block))
        self.messages.append((worker, self.answers.get((unit.place, unit.block)) or self.worker.measure(unit)))

    def receive(self, workers, seconds):
        found, self.messages = self.messages, []
        for _, message in found:
            if isinstance(message, BaseException):
                raise message
        return found

    def kill(self, worker):
        pass


@contextmanager
def _engine(name, make):
    """An engine, registered for a test, without the seconds that processes take. make: returns its next pool."""

    @dataclass(frozen=True)
    class InlineEngine(Engine):
        @contextmanager
        def open(self, setup, device):
            pool = make()
            pool.worker = Worker(setup)
            assert pool.worker.ready() == Ready()
            try:
                yield pool
            finally:
                pool.closed += 1

    with ENGINES.temporarily():
        ENGINES.register(name)(InlineEngine)
        yield


@pytest.fixture
def inline():
    """The only pool of the engine `inline`."""
    pool = Inline()
    with _engine("inline", lambda: pool):
        yield pool


@pytest.fixture
def pools():
    """The pools of the engine `inline`, a new one whenever it is opened: for several sessions."""
    found = []

    def make():
        found.append(Inline())
        return found[-1]

    with _engine("inline", make):
        yield found
