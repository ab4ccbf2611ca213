"""Adding a row to a run directory, whose time does not depend on how many there are, and opening it.

pytest tests/benchmarks/bench_store.py
"""

from itertools import count

import numpy as np
import pytest

from samplerbench.store.columns import DOCUMENTED
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.stored_rows import read_results

ROWS = [10, 100, 1000, 10_000]


def row(number: int) -> dict:
    """A row of a size as `bench run` writes it."""
    values = dict.fromkeys(DOCUMENTED[11:27], float(np.pi))
    return values | {
        "method": f"m{number}", "steps": 10, "status": "ok", "cell": f"c{number}", "protocol": "p",
        "scores_per_seed": '{"fid": [3.14159, 2.71828], "novelty": [0.999, 1.001]}', "command": "bench run " * 8,
    }  # fmt: skip


@pytest.fixture
def store(tmp_path, request):
    """A directory with as many rows."""
    with RunDirectory(tmp_path / "run", ("novelty",)) as store:
        store.rows = {f"c{number}": row(number) for number in range(request.param)}
        store.write()
    with RunDirectory(tmp_path / "run") as store:
        yield store


@pytest.mark.parametrize("store", ROWS, indirect=True)
def test_add(benchmark, store):
    benchmark.group = "one more row"
    numbers = count(len(store.rows))
    benchmark.pedantic(lambda: store.add(row(next(numbers))), rounds=200)


@pytest.mark.parametrize("store", ROWS, indirect=True)
def test_read(benchmark, store):
    benchmark.group = "all rows"
    found = benchmark.pedantic(read_results, (store.folder,), rounds=3)
    assert len(found) == len(store.rows)
