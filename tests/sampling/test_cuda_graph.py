"""Recorded runs. What a GPU does with a CUDA graph, `taped` does here: it repeats the operations, and no Python."""

from dataclasses import dataclass
from math import isnan

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from samplerbench.methods import Method, Sampler, get, get_guidance, get_recipe
from samplerbench.sampling.cuda_graph import Recording
from samplerbench.sampling.generate import Generation, generate
from samplerbench.sampling.measure import Measurement, measure
from samplerbench.sampling.noise import ImageNoise


class Tape(TorchDispatchMode):
    """The operations of a block, with their arguments and results."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, results))
        return results


def taped(run, device):
    with Tape() as tape:
        last = run()

    def repeat():
        for func, args, kwargs, results in tape.calls:
            for old, new in zip(tree_leaves(results), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, Tensor) and old is not new:
                    old.copy_(new)
        return last

    return repeat


@dataclass(frozen=True)
class Waits(Method):
    """Reads a value of the state, for which a host waits for its GPU."""

    recipe = "flow"

    def steps(self, field, x, times, noise):
        for _ in times[1:]:
            x = x / max(1.0, x.abs().max().item())
            yield x


@pytest.mark.parametrize(
    ("method", "guidance"), [("ddpm", None), ("langevin", None), ("dpmpp_2m[threshold=0.9]", "2"), ("pndm", "auto")]
)
@torch.inference_mode()
def test_replayed_images_are_those_of_the_run_and_their_evaluations_are_counted(method, guidance, guided_network):
    sampler = Sampler(get(method), 3, "uniform", guidance and get_guidance(guidance), get_recipe("flow"))
    recording = Recording(sampler, guided_network, 3, taped)
    first, *_ = found = [Generation(sampler, guided_network, noise, recording.replay) for noise in of_blocks()]
    kept = first.finish().clone()
    for run, noise in zip(found, of_blocks(), strict=True):
        expected = generate(sampler, guided_network, noise)
        torch.testing.assert_close(run.finish(), expected.images, rtol=0, atol=0)
        assert (run.nfe, run.network.evaluations) == (expected.nfe, expected.network.evaluations)
    assert torch.equal(first.images, kept), "the next replay leaves the images of this one alone"


def of_blocks() -> list[ImageNoise]:
    return [ImageNoise(block, range(4, 7)) for block in (1, 2)]


def test_runs_that_read_states_are_recognised():
    adaptive = Sampler(get("flow[solver=dopri5]"))
    assert [adaptive.reads_states, Sampler(Waits(), 2).reads_states] == [True, True]
    assert not Sampler(get("ddpm"), 3, guidance=get_guidance("classifier")).reads_states


def test_a_recorded_cell_has_the_same_images_and_no_times_of_its_parts(flow_network):
    sampler, plain, recorded = Sampler(get("flow"), 4), Measurement(4), Measurement(4, capture=taped)
    (expected,) = measure(sampler, flow_network, plain, 4, (0,), True)
    (batch,) = measure(sampler, flow_network, recorded, 4, (0,), True)
    assert torch.equal(batch.images, expected.images)
    assert recorded.progress.evaluations == recorded.progress.expected
    speed = recorded.speed()
    assert all(isnan(speed[name]) for name in ("network_s", "sampler_s", "inner_ratio"))
    assert speed["latency_s"] > 0
    assert recorded.nfe == plain.nfe == 4
