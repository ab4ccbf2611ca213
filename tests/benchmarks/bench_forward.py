"""One forward pass of the U-Net, and of diffusers' UNet2DModel of the same widths and number of parameters.

pytest tests/benchmarks/bench_forward.py --benchmark-group-by=param:preset,param:batch
"""

import pytest
import torch
from diffusers import UNet2DModel

from samplerbench.models import PRESETS, UNet, UNetConfig

GROUPS = {"digits": 8, "mnist5k": 4}  # of diffusers' group norm, which takes one number for all layers


def ours(config: UNetConfig) -> UNet:
    return UNet(config).eval().to(memory_format=torch.channels_last)


def theirs(config: UNetConfig, groups: int) -> UNet2DModel:
    sides = [config.resolution // 2**level for level in range(len(config.multipliers))]
    kinds = ["Attn" if side in config.attention else "" for side in sides]
    return UNet2DModel(
        sample_size=config.resolution, in_channels=config.image_channels, out_channels=config.image_channels,
        block_out_channels=tuple(config.channels * multiplier for multiplier in config.multipliers),
        layers_per_block=config.blocks, down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
        up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)), norm_num_groups=groups, norm_eps=1e-6,
        resnet_time_scale_shift="scale_shift", num_class_embeds=config.classes + 1, attention_head_dim=None,
    ).eval()  # fmt: skip


def parameters(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("whose", ["ours", "compiled", "diffusers"])
@pytest.mark.parametrize(("preset", "batch"), [("digits", 256), ("digits", 1), ("mnist5k", 64)])
def test_forward(benchmark, preset, batch, whose):
    config = PRESETS[preset]
    net, other = ours(config), theirs(config, GROUPS[preset])
    assert parameters(other) == pytest.approx(parameters(net), rel=3e-4)
    net = {"ours": net, "compiled": torch.compile(net), "diffusers": other}[whose]
    x = torch.randn(batch, config.image_channels, config.resolution, config.resolution)
    t, label = torch.rand(batch), torch.zeros(batch, dtype=torch.long)
    with torch.inference_mode():
        benchmark(net, x, t, label)


def test_forward_of_a_large_network(benchmark):
    config = PRESETS["cifar10"]
    with torch.inference_mode():
        benchmark(ours(config), torch.randn(4, 3, 32, 32), torch.rand(4), torch.zeros(4, dtype=torch.long))
