"""Small sweeps on the digits: their options, and one of them that several tests look at."""

from dataclasses import dataclass
from pathlib import Path

import pytest

import samplerbench
from samplerbench.methods import METHODS, Method, register

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
