"""The networks of EDM at full size have their published 56 and 296 million parameters (arXiv 2206.00364)."""

import pytest
import torch

from samplerbench.models.kinds import Uninitialised
from samplerbench.models.research.dhariwal_unet import DhariwalUNet, DhariwalUNetConfig
from samplerbench.models.research.song_unet import SongUNet, SongUNetConfig

NCSN = {
    "embedding_type": "fourier",
    "encoder_type": "residual",
    "channel_mult_noise": 2,
    "resample_filter": (1, 3, 3, 1),
}


@pytest.mark.parametrize(
    ("make", "millions"),
    [
        (lambda: SongUNet(SongUNetConfig(32, 3, 3, 0, 9, channel_mult=(2, 2, 2))), 55.7),
        (lambda: SongUNet(SongUNetConfig(32, 3, 3, 0, 9, channel_mult=(2, 2, 2), **NCSN)), 56.4),
        (lambda: DhariwalUNet(DhariwalUNetConfig(64, 3, 3, 1000)), 295.9),
    ],
)
def test_parameters(make, millions):
    with torch.device("meta"), Uninitialised():
        net = make()
    assert sum(each.numel() for each in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
