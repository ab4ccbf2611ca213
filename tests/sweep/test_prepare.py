from dataclasses import replace
from pathlib import Path

import pytest
import torch

import samplerbench
from samplerbench.errors import InputError
from samplerbench.methods import METHODS
from samplerbench.models import UNet, UNetConfig, save
from samplerbench.models.kinds import facts_of
from samplerbench.store.raw import read_raw
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.prepare import prepare

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def only_flow(few, tmp_path):
    """Options of a sweep on `few`, of which there is nothing but a checkpoint of flow."""
    torch.manual_seed(0)
    net = UNet(UNetConfig(28, 1, channels=16, multipliers=(1,), blocks=1, attention=()))
    facts = replace(facts_of(net), recipe="flow", dataset="few")
    save(tmp_path / "weights/few/flow.safetensors", net.state_dict(), facts.metadata)
    return {"dataset": "few", "weights": str(tmp_path / "weights"), "steps": 2, "quality": False, "device": "cpu"}


def test_all_leaves_out_methods_without_a_network_and_says_so(only_flow):
    prepared = prepare(Sweep(methods="all", **only_flow))
    kept = {job.sampler.method.name for job in prepared.jobs}
    assert kept == {name for name in METHODS.names() if METHODS.get(name).recipe == "flow"}
    (note,) = prepared.notes
    assert note.startswith("Left out, for want of a network: ")
    assert set(note.rstrip(".").partition(": ")[2].split(", ")) == set(METHODS.names()) - kept


@pytest.mark.parametrize("methods", ["ddim,all", "all,ddim[eta=0.5]", "ddim"])
def test_a_method_that_is_named_needs_its_network(methods, only_flow):
    with pytest.raises(InputError, match=r"ddpm.safetensors.*`bench train ddpm --dataset few"):
        prepare(Sweep(methods=methods, **only_flow))


def test_all_without_any_network_is_an_error(only_flow):
    with pytest.raises(InputError, match="has no checkpoint"):
        prepare(Sweep(methods="all", **only_flow | {"weights": "nowhere"}))


def test_a_conditioned_cell_has_its_condition_and_is_scored_against_it(few, few_weights):
    frame = samplerbench.run(
        "flow", recipe="text", dataset="few", weights=few_weights, steps=1, samples=24, batch_size=24, timing=False,
        metrics="class_accuracy,prompt_accuracy", guidance="1,3", output="run",
    )  # fmt: skip
    assert set(frame["status"]) == {"ok"}, frame["error"].tolist()
    assert frame["condition"].tolist() == ["text", "text"]
    assert frame["class_accuracy"].tolist() == pytest.approx(frame["prompt_digit"].tolist())
    assert frame["prompt_accuracy_floor"].min() > 0.8


def test_a_latent_cell_splits_its_latency_and_is_scored_in_pixels(few, few_weights):
    frame = samplerbench.run(
        "flow", model=f"latent[dataset=few,weights={few_weights}]:flow", data="few", steps=2, samples=8, batch_size=8,
        metrics="class_accuracy,psnr", output="run",
    )  # fmt: skip
    (row,) = frame.to_dict("records")
    assert (row["status"], row["resolution"], row["condition"]) == ("ok", 28, ""), row["error"]
    assert row["decoder_s"] > 0
    assert row["network_s"] > 0
    assert row["sampler_s"] > 0
    raw = read_raw(Path("run"), row["cell"])
    overhead = (raw["latency_s"] - raw["decoding_s"]) / (2 * raw["forward_s"])
    assert overhead == pytest.approx([float(each) for each in row["overhead_per_round"].split()], rel=1e-3)
    assert row["class_accuracy"] == row["class_accuracy"] >= 0
    assert row["psnr"] != row["psnr"], "there is nothing to restore"
