"""What docs/golden.md says that tiers cost: the operations of the networks, times the evaluations of the figures."""

import re
from pathlib import Path

import diffusers
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from samplerbench.models.kinds import Uninitialised
from samplerbench.models.research.adm_unet import ADMConfig, ADMUNet
from samplerbench.models.research.dhariwal_unet import DhariwalUNet, DhariwalUNetConfig
from samplerbench.models.research.song_unet import SongUNet, SongUNetConfig
from samplerbench.regression.golden.figure import read_figures

PAGE = (Path(__file__).parents[3] / "docs/golden.md").read_text()
IMAGES = 50_000


def ddpm():
    """The configuration of google/ddpm-cifar10-32."""
    return diffusers.UNet2DModel(
        sample_size=32, layers_per_block=2, block_out_channels=(128, 256, 256, 256), attention_head_dim=None,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"), downsample_padding=0,
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"), flip_sin_to_cos=False, freq_shift=1,
    )  # fmt: skip


def cfm():
    return ADMUNet(
        ADMConfig(32, 3, 3, 128, (128, 256, 256, 256), 2, (1,), scale_shift=False, residual_resampling=False)
    )


# A row of the table -> its network, the side of its images, and the checkpoints of its figures.
ROWS = {
    "EDM, SiD": (lambda: SongUNet(SongUNetConfig(32, 3, 3, 0, 9, channel_mult=(2, 2, 2))), 32,
                 ("edm-vp", "edm-vp-cond", "sid")),
    "DDPM": (ddpm, 32, ("ddpm-cifar10-32",)),
    "OT-CFM, I-CFM": (cfm, 32, ("otcfm", "icfm")),
    "EDM, ImageNet-64 (tier 2)": (lambda: DhariwalUNet(DhariwalUNetConfig(64, 3, 3, 1000)), 64, ("edm-imagenet64",)),
}  # fmt: skip
ADAPTIVE = 134  # evaluations, as published


def cells(row: str) -> tuple[float, int, int]:
    """GFLOP a forward, evaluations, and PFLOP, as the page has them."""
    found = re.search(rf"\| {re.escape(row)} \| ([\d.]+) \| (\d+) \| (\d+) PFLOP \|", PAGE)
    assert found, row
    return float(found[1]), int(found[2]), int(found[3])


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_what_its_network_and_figures_take(row):
    make, side, checkpoints = ROWS[row]
    with torch.device("meta"), Uninitialised(), FlopCounterMode(display=False) as counter:
        make().eval()(torch.zeros(1, 3, side, side), torch.zeros(1))
    (gflop, nfe, pflop), each_forward = cells(row), counter.get_total_flops()
    assert gflop == pytest.approx(each_forward / 1e9, abs=0.05)
    assert nfe == sum(each.nfe or ADAPTIVE for each in read_figures() if each.checkpoint.name in checkpoints)
    assert pflop == pytest.approx(each_forward * nfe * IMAGES / 1e15, abs=0.5)


def test_the_hours_follow_from_the_rows():
    total = sum(cells(row)[2] for row in ROWS if "tier 2" not in row)
    said = rf"takes {total} PFLOP: ([\d.]+) hours on a GPU that sustains 20 TFLOP/s .*?, ([\d.]+) hours at 50"
    hours = re.search(said, " ".join(PAGE.split()))
    assert hours, f"the rows sum to {total} PFLOP"
    assert float(hours[1]) == pytest.approx(total * 1e15 / 20e12 / 3600, abs=0.06)
    assert float(hours[2]) == pytest.approx(total * 1e15 / 50e12 / 3600, abs=0.06)
