"""The ways to run a network faster, against float32 step by step: how far their predictions may be from it.

The tolerances are root mean squares, relative to that of the prediction. A GPU's formats and graphs are in
tests/sampling/test_cuda_graph.py as far as a CPU can run them.
"""

from copy import deepcopy

import pytest
import torch

from samplerbench.models import UNet, UNetConfig

TOLERANCE = {"channels_last": 1e-5, "contiguous_format": 1e-5, "compile": 1e-5, "bfloat16": 2e-2}


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = UNet(UNetConfig(8, channels=8, multipliers=(1,), blocks=1, attention=(8,))).eval().requires_grad_(False)
    for parameter in net.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def faster(net: UNet, way: str) -> UNet:
    if way == "compile":
        return torch.compile(net, backend="aot_eager")  # all but the C++ compiler, which takes minutes
    if way == "bfloat16":
        return deepcopy(net).bfloat16()
    return deepcopy(net).to(memory_format=getattr(torch, way))


@pytest.mark.parametrize("way", TOLERANCE)
@torch.inference_mode()
def test_it_predicts_what_float32_does(way, net):
    generator = torch.Generator().manual_seed(1)
    x, t = torch.randn(4, 1, 8, 8, generator=generator), torch.rand(4, generator=generator)
    label, expected = torch.arange(4), net(x, t, torch.arange(4))
    found = faster(net, way)(x.bfloat16() if way == "bfloat16" else x, t, label).float()
    error = (found - expected).square().mean().sqrt() / expected.square().mean().sqrt()
    assert 0 <= error < TOLERANCE[way]
    assert way != "bfloat16" or error > 1e-4, "it has computed in low precision"
