"""One forward pass of the U-Net at two presets.

pytest tests/benchmarks/bench_forward.py
"""

import pytest
import torch

from samplerbench.models import PRESETS, UNet


@pytest.mark.parametrize(("preset", "batch"), [("digits", 256), ("cifar10", 4)])
def test_forward(benchmark, preset, batch):
    config = PRESETS[preset]
    net = UNet(config).eval().to(memory_format=torch.channels_last)
    x = torch.randn(batch, config.image_channels, config.resolution, config.resolution)
    t, label = torch.rand(batch), torch.zeros(batch, dtype=torch.long)
    with torch.inference_mode():
        benchmark(net, x, t, label)
