"""What an engine adds to each unit: its way to a worker and back, and the run directory's part of it.

pytest tests/benchmarks/bench_engine.py
"""

import os
from itertools import count

import pytest

from samplerbench.store.run_directory import RunDirectory
from samplerbench.sweep.cell_key import sweep_key
from samplerbench.sweep.engine.base import ENGINES, Ready, Setup
from samplerbench.sweep.engine.worker import Worker
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.prepare import prepare
from samplerbench.sweep.unit import BlockResult, Unit

SWEEP = Sweep(methods="ddim", steps=1, data="mixture", samples=2, batch_size=2, metrics="fid")
ALL = 10_000  # units through one run directory


@pytest.fixture(params=["none", "local", "ray"])
def measure(request, tmp_path):
    """measure(unit): its result by a worker that is ready, or in this process by none."""
    prepared = prepare(SWEEP)
    setup = Setup(SWEEP, str(tmp_path), sweep_key(prepared), os.getcwd())
    if request.param == "none":
        yield Worker(setup).measure
        return
    if request.param == "ray":
        pytest.importorskip("ray")
    with ENGINES.lookup(request.param)(workers=1).open(setup, prepared.device) as pool:
        worker, answers = pool.start(0), []

        def answer():
            while not answers:
                answers.extend(message for _, message in pool.receive([worker], None))
            return answers.pop()

        assert isinstance(answer(), Ready)
        yield lambda unit: pool.send(worker, unit) or answer()


def test_unit(benchmark, measure):
    """The difference to `none` is what the engine costs."""
    benchmark.group = "a unit of two images in one step"
    blocks = count()
    result = benchmark.pedantic(lambda: measure(Unit(0, "cell", next(blocks))), rounds=200, warmup_rounds=5)
    assert isinstance(result, BlockResult)


@pytest.mark.parametrize("before", [0, ALL - 200])
def test_keep(benchmark, tmp_path, before):
    """A block kept and its cell's row written, in a directory that has seen many."""
    benchmark.group = "keep a block, write a row, delete the block"
    result = BlockResult(0, {"fid": 1.5, "novelty": 0.5}, [1.0], 0.0)
    numbers = count()

    def cell():
        number = next(numbers)
        store.units.add(f"{number:012x}", 0, result.to_arrays())
        store.add({"method": f"m{number}", "cell": f"{number:012x}", "status": "ok", "steps": 1})

    with RunDirectory(tmp_path / "run") as store:
        store.write()
        for _ in range(before):
            cell()
        benchmark.pedantic(cell, rounds=200)
