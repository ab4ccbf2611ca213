"""Host time of a whole sampling run over that of its bare arithmetic, for every method.

pytest tests/benchmarks/bench_loop.py -s

The bare run is derived by `samplerbench.testing.bare_run`: loops written by hand for every method would be as long as
the methods, and there would be none for plug-ins. It makes the network's time inputs as it goes, or takes them
ready-made: two ratios. The network returns its input and the noise is drawn beforehand, so neither dilutes them.

The runs alternate in one process, A B B A, and a ratio is the median over the repetitions. Time is the CPU time of the
thread, which leaves out the moments in which other work on the machine takes its place. One-step methods have no loop:
their ratio is that of the fixed cost of a run, which computes the coefficients of its path.
"""

import time
from collections import deque
from functools import partial
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
    """The ratios measured so far, by method and column; printed as a table at the end."""
    found = {}
    yield found
    rows = [{"method": method, **row} for method, row in found.items()]
    print("\n" + tabulate(rows, headers="keys", floatfmt=".2f"))


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
    field, (x, z) = field_of(recipe, net), torch.randn(2, *SHAPES[shape])
    sampler = Sampler(method, steps)

    def noise(x):
        return z

    def ours():
        deque(sampler.trajectory(field, x, noise), maxlen=1)

    with torch.inference_mode():
        for ready, times in ((False, "times made"), (True, "times ready")):
            bare = partial(bare_run(sampler, field, x, ready), x, net, noise)
            ratio = median_ratio(ours, bare, REPETITIONS[shape])
            ratios.setdefault(name, {})[f"{shape}, {times}"] = benchmark.extra_info[times] = ratio
        benchmark.pedantic(ours, rounds=5)


def median_ratio(ours, bare, repetitions):
    """The median over the repetitions of the ratio of seconds, A B B A."""
    ours(), bare()
    return median(_ratio(*(seconds(work) for work in (ours, bare, bare, ours))) for _ in range(repetitions))


def _ratio(first, second, third, last):
    return (first + last) / (second + third)


def seconds(work):
    """Seconds of this thread, which does the work, on its core."""
    began = time.thread_time()
    work()
    return time.thread_time() - began
