from dataclasses import replace

import pytest
import torch

from samplerbench.methods import Sampler, get
from samplerbench.sampling import largest_batch as module
from samplerbench.sampling.largest_batch import MOST_ON_CPU, PRECISION, available_mb, largest, largest_batch

FLOW = Sampler(get("flow"), 2)


@pytest.mark.parametrize("most", [1, 7, 1000, 1024])
@pytest.mark.parametrize("true", [1, 2, 3, 63, 64, 65, 700, 5000])
def test_the_size_found_fits_and_one_an_eighth_larger_does_not(true, most):
    tried = []
    found = largest(lambda size: tried.append(size) or size <= true, most)
    assert found <= min(true, most)
    assert found == most or found + max(1, found // PRECISION) > true
    assert len(tried) <= 15
    assert max(tried, default=1) <= most


class Cramped(torch.nn.Module):
    """A network that runs out of memory for more than `room` images."""

    def __init__(self, net, room):
        super().__init__()
        self.net, self.room = net, room

    def forward(self, x, *rest):
        if len(x) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return self.net(x, *rest)


def test_it_fits_every_network_of_the_sweep(flow_network):
    small, large = (replace(flow_network, eager=Cramped(flow_network.eager, room)) for room in (5, 12))
    cpu = torch.device("cpu")
    assert largest_batch([(FLOW, large)], cpu, 64) == 12
    assert largest_batch([(FLOW, large), (FLOW, small)], cpu, 64) == 5
    assert largest_batch([(FLOW, flow_network)], cpu, 6) == 6


def test_a_defective_network_is_left_to_its_cell(flow_network):
    def broken(*_):
        raise RuntimeError("broken")

    assert largest_batch([(FLOW, replace(flow_network, eager=broken))], torch.device("cpu")) == MOST_ON_CPU


def test_the_memory_of_a_cpu_is_not_exhausted(flow_network, monkeypatch):
    """A process that has taken nearly all that there was is not doubled."""
    monkeypatch.setattr(module, "available_mb", lambda: 1.0)
    assert largest_batch([(FLOW, flow_network)], torch.device("cpu"), 64) == 2
    assert available_mb() is None or available_mb() > 1
