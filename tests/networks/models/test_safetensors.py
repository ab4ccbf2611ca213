"""Files of `bench train` are models, wherever they lie."""

import shutil

import pytest
import torch

import samplerbench
from samplerbench.models import CheckpointError, shipped
from samplerbench.networks.model import get_model, load_model


def loaded(spec):
    return load_model(get_model(str(spec)), torch.device("cpu"), torch.float32)


def test_two_files_of_one_recipe_are_two_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file, name in (("a.safetensors", "flow"), ("b.safetensors", "flow-weak")):
        shutil.copy(shipped("digits", name), file)
    frame = samplerbench.run(
        "flow", model=["flow", "a.safetensors", "b.safetensors"], steps=2, samples=40, timing=False, output="run"
    )
    assert frame["recipe"].tolist() == ["flow", "a.safetensors", "b.safetensors"]
    ours, copy, weak = frame["fid"]
    assert ours == copy != weak
    assert frame["weights"].nunique() == 3, "shipped, and two files"


@pytest.mark.parametrize(
    ("name", "message"),
    [("bespoke", "holds a solver learned for another network"), ("digits-cnn", "."), ("noisy-classifier", ".")],
)
def test_a_file_without_a_network_is_one_sentence(name, message):
    with pytest.raises(CheckpointError, match=message) as raised:
        loaded(shipped("digits", name))
    assert str(raised.value).count("\n") == 0
    assert "digits" in str(raised.value)
