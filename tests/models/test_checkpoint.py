import pickle
from dataclasses import replace

import pytest
import torch

from samplerbench.models import PRESETS, CheckpointError, UNet, load, save
from samplerbench.models.checkpoint import architecture

CONFIG = replace(PRESETS["digits"], channels=16, blocks=1)


@pytest.fixture
def file(tmp_path):
    net = UNet(CONFIG)
    save(
        tmp_path / "a.safetensors",
        net.state_dict(),
        {"architecture": architecture(CONFIG), "recipe": "ddpm", "seed": 0},
    )
    return tmp_path / "a.safetensors", net


def test_a_checkpoint_comes_back_whole(file):
    path, net = file
    checkpoint = load(path)
    again = checkpoint.unet()
    assert again.config == CONFIG
    assert checkpoint.metadata["recipe"] == "ddpm"
    for key, value in net.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=0, atol=0)


def test_half_precision_halves_the_file_and_keeps_float32_in_memory(file, tmp_path):
    path, net = file
    save(tmp_path / "half.safetensors", net.state_dict(), load(path).metadata, storage="float16")
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * path.stat().st_size
    assert {value.dtype for value in load(tmp_path / "half.safetensors").weights.values()} == {torch.float32}


def truncated(path):
    path.write_bytes(path.read_bytes()[:-1000])


def pickled(path):
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))


def empty(path):
    path.write_bytes(b"")


def removed(path):
    path.unlink()


def of_another_architecture(path):
    save(path, torch.nn.Linear(2, 2).state_dict(), {"architecture": architecture(CONFIG)})


def without_architecture(path):
    save(path, UNet(CONFIG).state_dict(), {})


def with_an_unknown_option(path):
    save(path, UNet(CONFIG).state_dict(), {"architecture": '{"depth": 3}'})


@pytest.mark.parametrize(
    "spoil",
    [truncated, pickled, empty, removed, of_another_architecture, without_architecture, with_an_unknown_option],
)
def test_a_spoiled_checkpoint_gives_one_sentence_that_names_it(file, spoil):
    path, _ = file
    spoil(path)
    with pytest.raises(CheckpointError) as caught:
        load(path).unet()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
