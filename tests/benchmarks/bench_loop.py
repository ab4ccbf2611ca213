"""Host time of a whole sampling run over that of its bare arithmetic, for every method: `samplerbench.testing.bare_run`.

pytest tests/benchmarks/bench_loop.py -s

The network returns its input and the noise is drawn beforehand, so neither dilutes the ratio. Both runs alternate in
one process, A B B A, and the ratio is the median over the repetitions. Time is that of the thread on its core, without
the moments in which other work on the machine takes its place.
"""

import time
from collections import deque
from statistics import median

import pytest
import torch
from tabulate import tabulate

from samplerbench.methods import METHODS, Sampler, get
from samplerbench.testing.bare_run import bare_run
from samplerbench.testing.runs import recipe_of
from samplerbench.testing.small_net import field_of, outputs_of, with_outputs

STEPS = 50
SHAPES = {"1 x 1 x 8 x 8": (1, 1, 8, 8), "64 x 3 x 32 x 32": (64, 3, 32, 32)}
REPETITIONS = {"1 x 1 x 8 x 8": 21, "64 x 3 x 32 x 32": 5}


def identity(x, *_):
    return x


@pytest.fixture(scope="module")
def ratios():
    """The ratios measured so far, by method and shape; printed as a table at the end."""
    found = {}
    yield found
    print("\n" + tabulate([[method, *row.values()] for method, row in found.items()], ["", *SHAPES], floatfmt=".2f"))


@pytest.fixture(autouse=True)
def one_thread():
    """Host time is that of one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", METHODS.names())
def test_loop(benchmark, ratios, name, shape):
    method = get(name)
    steps = method.nearest_steps(STEPS)
    recipe = recipe_of(method, steps)
    net = identity if outputs_of(recipe) == 1 else with_outputs(identity, outputs_of(recipe))
    field, x, z = field_of(recipe, net), *torch.randn(2, *SHAPES[shape])
    sampler = Sampler(method, steps)

    def noise(x):
        return z

    def ours():
        deque(sampler.trajectory(field, x, noise), maxlen=1)

    with torch.inference_mode():
        bare = bare_run(sampler, field, x)
        ratios.setdefault(name, {})[shape] = ratio = median_ratio(
            ours, lambda: bare(x, net, noise), REPETITIONS[shape]
        )
        benchmark.extra_info["over bare"] = ratio
        benchmark.pedantic(ours, rounds=5)


def median_ratio(ours, bare, repetitions):
    """The median over the repetitions of the ratio of seconds."""
    ours(), bare()
    return median(
        (first + last) / (second + third)
        for first, second, third, last in (
            (seconds(ours), seconds(bare), seconds(bare), seconds(ours)) for _ in range(repetitions)
        )
    )


def seconds(work):
    began = time.thread_time()
    work()
    return time.thread_time() - began
