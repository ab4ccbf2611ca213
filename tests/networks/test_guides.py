"""The networks that guidances need beside the one they guide."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS, to_float
from samplerbench.errors import InputError
from samplerbench.methods import GUIDANCES, get_guidance
from samplerbench.models import CheckpointError, NoisyClassifier, NoisyClassifierConfig, load, save, shipped
from samplerbench.networks.guides import load_classifier, with_guides

CPU = torch.device("cpu")
DIGITS = DATASETS.get("digits")


def guided(network, *specs, folder=None):
    return with_guides(network, [get_guidance(spec) for spec in specs], DIGITS, folder and str(folder))


def test_a_guidance_brings_the_network_it_needs_and_no_other(flow_network):
    for spec, guides in {"2": [], "auto": ["weak"], "classifier": ["classifier"]}.items():
        assert [*guided(flow_network, spec).guides] == guides
    both = guided(guided(flow_network, "auto"), "classifier")
    assert {*both.guides} == {"weak", "classifier"}
    assert flow_network.guides == {}, "the network itself stays as it is"


def test_the_weaker_network_runs_in_the_same_precision(flow_network):
    weak = guided(replace(flow_network, dtype=torch.bfloat16), "auto").guides["weak"]
    assert weak.dtype == torch.bfloat16
    assert weak.origin.digest == load(shipped("digits", "flow-weak")).digest


def test_a_learned_solver_is_guided_by_the_weaker_network_of_its_teacher(load):
    network = guided(load("bespoke"), "auto")
    assert network.sources["flow-weak"] == str(guided(load("flow"), "auto").guides["weak"].origin)
    weak, own = network.guides["weak"].eager, network.eager
    assert sum(value.numel() for value in weak.parameters()) < sum(value.numel() for value in own.parameters())


def test_a_learned_path_cannot_be_guided_by_another(load):
    with pytest.raises(InputError, match=r"vdm learns its own noise path.*leave out auto"):
        guided(load("vdm"), "auto")


def test_the_shipped_classifier_recognises_clean_digits_and_nothing_without_signal(digits):
    net = load_classifier(DIGITS, None, CPU).net
    noise = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        clean = net(to_float(digits.test), torch.full((797,), 12.0))
        nothing = net(noise, torch.full((50,), -20.0))
    assert (clean.argmax(1) == digits.test_labels).float().mean() > 0.97
    np.testing.assert_allclose(nothing.softmax(1), 0.1, atol=1e-3)


@pytest.mark.parametrize(("spec", "command"), [("classifier", "noisy-classifier"), ("auto", "flow --weak")])
def test_a_missing_checkpoint_names_the_command_that_trains_it(spec, command, flow_network, monkeypatch):
    monkeypatch.setattr("samplerbench.networks.checkpoints.shipped", lambda dataset, name: Path("nowhere", name))
    with pytest.raises(InputError, match=f"`bench train {command} --dataset digits`"):
        guided(flow_network, spec, folder="nowhere")


def test_a_network_without_classes_can_only_be_guided_by_a_weaker_one(flow_network):
    unlabelled = replace(flow_network, provides=flow_network.provides - {"labels"})
    for name in GUIDANCES.names():
        if name == "auto":
            assert [*guided(unlabelled, name).guides] == ["weak"]
        else:
            with pytest.raises(InputError, match=r"cannot guide flow: it needs class labels; .* or use auto"):
                guided(unlabelled, name)


def test_a_weaker_network_of_other_classes_is_rejected(flow_network):
    with pytest.raises(CheckpointError, match="weaker network of flow was trained for other classes"):
        guided(replace(flow_network, classes=7), "auto")


def test_a_classifier_of_other_classes_is_rejected(tmp_path):
    checkpoint = load(shipped("digits", "noisy-classifier"))
    options = json.loads(checkpoint.metadata["architecture"])
    config = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    weights = NoisyClassifier(NoisyClassifierConfig(**config | {"classes": 7})).state_dict()
    metadata = checkpoint.metadata | {"architecture": json.dumps(options | {"classes": 7})}
    save(tmp_path / "digits" / "noisy-classifier.safetensors", weights, metadata)
    with pytest.raises(CheckpointError, match="for other images or classes than those of digits: retrain it with"):
        load_classifier(DIGITS, str(tmp_path), CPU)
