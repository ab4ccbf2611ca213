"""Encoders from the files of `bench train encoder`."""

import json
from dataclasses import asdict, replace
from unittest import SkipTest

import pytest
import torch

from samplerbench.data.dataset import to_float
from samplerbench.errors import InputError
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.models import CheckpointError, Encoder, EncoderConfig, load, save, shipped
from samplerbench.models.kinds import facts_of
from samplerbench.testing import checks

CPU = torch.device("cpu")
CONFIG = EncoderConfig(resolution=8, image_channels=3, channels=8, classes=4)


@pytest.fixture
def write(tmp_path):
    """write(name, seed=0, **metadata): the file of an encoder of colour images of 8x8, and its network."""

    def write(name="encoder", seed=0, **metadata):
        torch.manual_seed(seed)
        net = Encoder(CONFIG).eval()
        facts = replace(facts_of(net), dataset="mine")
        save(tmp_path / f"{name}.safetensors", net.state_dict(), facts.metadata | metadata)
        return tmp_path / f"{name}.safetensors", net

    return write


def made(path, shape=(3, 8, 8)):
    return ENCODERS.get(f"trained:{path}").load(shape, CPU)


def test_it_keeps_the_contract(write):
    ran = 0
    for _, check in checks(f"encoder:trained:{write()[0]}"):
        try:
            check()
        except SkipTest as reason:
            pytest.fail(str(reason))
        ran += 1
    assert ran >= 6


def test_its_features_are_those_of_the_network_and_its_digest_changes_with_the_weights(write):
    path, net = write()
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    encoding = made(path)
    with torch.inference_mode():
        torch.testing.assert_close(encoding(images), net.features(to_float(images)).double())
    assert (encoding.width, encoding.label) == (128, "encoder of mine")
    assert encoding.digest == made(write("copy")[0]).digest, "not with the file"
    assert encoding.digest != made(write("other", seed=1)[0]).digest


def test_images_of_another_shape_are_refused(write):
    with pytest.raises(InputError, match=r"encodes images of 3x8x8, and these are 1x8x8: train one with `bench train"):
        made(write()[0], (1, 8, 8))


class Malicious:
    def __reduce__(self):
        return print, ("code ran while weights were loaded",)


def test_files_of_something_else_are_errors_of_one_sentence(write, tmp_path, capsys):
    path, _ = write()
    hostile = json.dumps(asdict(CONFIG) | {"channels": 65536})
    (tmp_path / "cut").write_bytes(path.read_bytes()[:1000])
    torch.save({"weights": Malicious()}, tmp_path / "pickle")
    cases = {
        tmp_path / "absent": r"There is no encoder .*absent.*`bench train encoder",
        tmp_path: "There is no encoder",
        tmp_path / "cut": "damaged or not a safetensors file",
        tmp_path / "pickle": "is a PyTorch file",
        shipped("digits", "flow"): "the weights of an encoder: it holds a samplerbench U-Net",
        write("wide", architecture=hostile)[0]: r"is 8x3x3x3, and 65536x3x3x3 by its architecture",
        write("vague", architecture="{}")[0]: "by its architecture",
    }
    for file, message in cases.items():
        with pytest.raises((InputError, CheckpointError), match=message) as caught:
            made(file)
        assert "\n" not in str(caught.value)
    assert "code ran" not in capsys.readouterr().out
    assert load(path).facts.kind == "encoder"
