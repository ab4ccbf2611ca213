from contextlib import contextmanager

import torch

from samplerbench.networks.counted import CountedNetwork


def test_evaluations_of_single_images_are_counted_whichever_network_runs():
    counted = CountedNetwork(lambda x, t: x + 1)
    x, t = torch.zeros(3, 1, 2, 2), torch.zeros(3)
    assert torch.equal(counted(x, t), x + 1)
    assert torch.equal(counted.evaluate(lambda x, t: x - 1, x[:2], t[:2]), x[:2] - 1)
    assert counted.evaluations == 5


def test_the_network_runs_in_its_dtype_and_the_caller_keeps_its_own():
    seen = []

    def net(x, t):
        seen.append(x.dtype)
        return x + 1 / 3

    x, t = torch.zeros(1, 1, 2, 2, dtype=torch.float64), torch.zeros(1)
    for dtype, inside in ((None, torch.float64), (torch.float16, torch.float16)):
        assert CountedNetwork(net, dtype)(x, t).dtype == torch.float64
        assert seen.pop() == inside


def test_each_call_runs_inside_a_lap():
    events = []

    @contextmanager
    def lap():
        events.append("start")
        yield
        events.append("end")

    counted = CountedNetwork(lambda x, t: events.append("net") or x, lap=lap)
    counted(torch.zeros(1), torch.zeros(1))
    assert events == ["start", "net", "end"]
