import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from samplerbench.models import (
    PRESETS,
    Autoencoder,
    AutoencoderConfig,
    CheckpointError,
    DigitsCNN,
    Encoder,
    EncoderConfig,
    NoisyClassifier,
    NoisyClassifierConfig,
    UNet,
    load,
    shipped,
)
from samplerbench.models.kinds import KINDS, build, facts_of

SMALL = replace(PRESETS["digits"], channels=16, blocks=1)
NETWORKS = {
    "unet": lambda: UNet(SMALL),
    "noisy-classifier": lambda: NoisyClassifier(NoisyClassifierConfig(channels=8, classes=3)),
    "digits-cnn": DigitsCNN,
    "encoder": lambda: Encoder(EncoderConfig(resolution=7, image_channels=3, channels=16, classes=3)),
    "autoencoder": lambda: Autoencoder(AutoencoderConfig("vq", resolution=8, channels=8, factor=2, codes=5)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_built_again_from_what_is_recorded_of_it(kind):
    net = NETWORKS[kind]()
    facts = facts_of(net)
    assert facts.kind == kind
    again = build(KINDS[kind], facts.architecture, net.state_dict())
    assert not again.training
    assert type(again) is type(net)
    for name, value in net.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"channels": 65536}, r"time.layers.0.weight is 64x16, and 262144x65536 by its architecture"),
        ({"channels": 2**70}, "its architecture is impossible"),
        ({"blocks": 10**9}, "has 1 to 100 blocks per resolution"),
        ({"classes": 10**10}, "label.weight is 11x64, and 10000000001x64"),
        ({"channels": "wide"}, "its architecture is impossible"),
        ({"attention": [8, 4]}, "it lacks down.0.attention.norm.weight"),
        ({"attention": []}, "its architecture has no down.2.attention"),
        ({"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_another_architecture_is_refused_with_the_first_difference(changes, reason):
    net = UNet(SMALL)
    options = json.loads(facts_of(net).architecture) | changes
    with pytest.raises(ValueError, match=reason):
        build(KINDS["unet"], json.dumps(options), net.state_dict())


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_an_unreadable_architecture_is_refused(text):
    with pytest.raises(ValueError, match="architecture"):
        build(KINDS["unet"], text, UNet(SMALL).state_dict())


def test_the_kind_of_shipped_files_decides_the_network():
    assert type(load(shipped("digits", "digits-cnn")).network()) is DigitsCNN
    assert type(load(shipped("digits", "noisy-classifier")).network()) is NoisyClassifier
    assert type(load(shipped("digits", "flow")).network()) is UNet
    with pytest.raises(CheckpointError, match="weights of a noise-aware classifier: it holds a samplerbench U-Net"):
        load(shipped("digits", "flow")).noisy_classifier()


def test_comparing_shapes_imports_no_compiler():
    """On the meta device, arithmetic and random initialisation would: two seconds for every command."""
    script = (
        "import sys; from samplerbench.models import load, shipped; load(shipped('digits', 'flow')).unet(); "
        "sys.exit('sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
