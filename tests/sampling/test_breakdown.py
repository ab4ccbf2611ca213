import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from samplerbench.methods import Sampler, get
from samplerbench.sampling import breakdown
from samplerbench.sampling.breakdown import FORWARDS, NETWORK, NOISE, OTHER, SAMPLER, START_UP, WARM_UP, Breakdown
from samplerbench.sampling.measure import Measurement, measure


@pytest.fixture
def wait(monkeypatch):
    """wait(seconds): advance the clock of every breakdown, which stands still otherwise."""
    now = [0.0]
    monkeypatch.setattr(breakdown, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_a_part_inside_another_is_not_counted_twice(wait):
    spent = Breakdown(start_up=3)
    wait(1)
    with spent.part("outer"):
        wait(2)
        with spent.part("inner"):
            wait(4)
        with spent.part("inner"), spent.part("outer"):
            wait(8)
    wait(16)
    assert spent.read() == {START_UP: 3, OTHER: 17, "outer": 10, "inner": 4}


def test_a_block_that_fails_is_booked_and_left(wait):
    spent = Breakdown()

    def interrupted():
        with spent.part("outer"), spent.part("inner"):
            wait(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    wait(2)
    assert spent.read() == {OTHER: 2, "outer": 0, "inner": 1}


def test_no_more_is_moved_than_there_is(wait):
    spent = Breakdown()
    with spent.part("whole"):
        wait(5)
        spent.move("part", 2)
        spent.move("part", 4)
    assert spent.seconds == {OTHER: 0, "whole": 0, "part": 5}


def test_a_measured_cell_is_booked_to_its_parts(flow_network):
    """Noise is drawn in each step; network, forwards and sampler are those of the cell's own timing."""
    found = Measurement(16)
    began = time.perf_counter()
    list(measure(Sampler(get("ancestral"), 4), flow_network, found, 16, (0,), timing=True))
    took, spent = time.perf_counter() - began, found.spent.read()
    assert {NETWORK, SAMPLER, NOISE, FORWARDS, WARM_UP} <= spent.keys()
    assert sum(spent.values()) == pytest.approx(took, rel=0.05)
    assert spent[NETWORK] == pytest.approx(sum(found.column("inside")))
    assert spent[NETWORK] + spent[SAMPLER] + spent[NOISE] >= sum(found.column("latency"))
    assert spent[FORWARDS] >= sum(found.column("forward"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when a process started")
def test_the_age_of_a_process_includes_its_imports():
    script = (
        "import time; time.sleep(0.4); from samplerbench.sampling.breakdown import process_age; print(process_age())"
    )
    before = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert 0.4 < float(done.stdout) < time.perf_counter() - before + 0.02
