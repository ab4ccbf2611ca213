import resource

import pytest
import torch
from torch import nn

from samplerbench.models.research.build import build
from samplerbench.models.research.dhariwal_unet import DhariwalUNet, DhariwalUNetConfig


def test_the_weights_of_the_file_are_those_of_the_network():
    weights = {"weight": torch.randn(2, 3), "bias": torch.randn(2)}
    net = build(lambda: nn.Linear(3, 2), weights)
    assert net.weight.data_ptr() == weights["weight"].data_ptr(), "they were copied"
    assert not net.training
    assert not net.weight.requires_grad


def test_gigabytes_that_a_configuration_claims_are_not_taken():
    config = DhariwalUNetConfig(64, 3, 3, model_channels=4096, channel_mult=(16, 16), num_blocks=32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="it lacks"):
        build(lambda: DhariwalUNet(config), {"weight": torch.zeros(1)})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"weight": torch.zeros(2, 3)}, "it lacks bias"), ({"bias": torch.zeros(2)}, "it lacks weight"),
        ({"weight": torch.zeros(3, 2), "bias": torch.zeros(2)}, "weight is 3x2, and 2x3"),
        ({"weight": torch.zeros(2, 3, dtype=torch.int8), "bias": torch.zeros(2)}, "not plain floating-point"),
        ({"weight": torch.zeros(2, 3).to_sparse(), "bias": torch.zeros(2)}, "not plain floating-point"),
    ],
)  # fmt: skip
def test_other_weights_are_refused(weights, reason):
    with pytest.raises(ValueError, match=reason):
        build(lambda: nn.Linear(3, 2), weights)


def test_an_impossible_network_is_refused():
    with pytest.raises(ValueError, match="its configuration is impossible"):
        build(lambda: nn.GroupNorm(3, 4), {})
