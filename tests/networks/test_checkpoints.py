import json
import re

import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import get_recipe
from samplerbench.models import PRESETS, CheckpointError, UNet, UNetConfig, load, save, shipped
from samplerbench.networks.checkpoints import CheckpointKey, architecture_of, load_network, random_network

CPU = torch.device("cpu")
DIGITS = DATASETS.get("digits")


def copy_of(name: str, folder, to: str | None = None, **metadata: str):
    """A shipped checkpoint as the user's own, under another name or with other metadata."""
    checkpoint = load(shipped("digits", name))
    path = folder / "digits" / f"{to or name}.safetensors"
    save(path, checkpoint.weights, checkpoint.metadata | metadata)
    return path


def test_the_users_own_checkpoint_takes_precedence_over_the_shipped_one(tmp_path):
    assert CheckpointKey("digits", "flow").find(str(tmp_path)) == shipped("digits", "flow")
    assert load_network("flow", DIGITS, str(tmp_path), CPU).origin.source == "shipped"
    own = copy_of("flow-weak", tmp_path, to="flow")
    network = load_network("flow", DIGITS, str(tmp_path), CPU)
    assert (network.origin.source, network.origin.digest) == (str(own), load(own).digest)
    assert str(network.origin) == f"{own} {load(own).digest}"


def test_the_default_folder_is_checkpoints(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy_of("flow-weak", tmp_path / "checkpoints", to="flow")
    assert load_network("flow", DIGITS, None, CPU).origin.source == "checkpoints/digits/flow.safetensors"


@pytest.mark.parametrize(("weak", "words"), [(False, "edm"), (True, "edm --weak")])
def test_a_missing_checkpoint_names_the_command_that_trains_it(weak, words, tmp_path):
    with pytest.raises(InputError, match=rf"`bench train {words} --dataset mnist`"):
        CheckpointKey("mnist", "edm", weak).find(str(tmp_path))


def test_the_network_has_the_checkpoints_weights_and_its_facts(flow_network):
    checkpoint = load(shipped("digits", "flow"))
    for name, value in flow_network.eager.state_dict().items():
        torch.testing.assert_close(value, checkpoint.weights[name], rtol=0, atol=0)
    assert flow_network.origin.facts == checkpoint.facts
    assert flow_network.origin.cost.iterations == 5000
    assert not any(parameter.requires_grad for parameter in flow_network.eager.parameters())
    assert not flow_network.eager.training


def test_the_weak_network_is_another_checkpoint_of_the_recipe(flow_network):
    weak = load_network("flow", DIGITS, None, CPU, weak=True)
    assert (weak.name, weak.origin.digest) == ("flow", load(shipped("digits", "flow-weak")).digest)
    sizes = [sum(value.numel() for value in each.eager.parameters()) for each in (weak, flow_network)]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("name", ["knowledge", "dmd", "consistency", "reflow", "bespoke"])
def test_a_distilled_network_provides_no_ode(name, load):
    assert "ode" not in load(name).provides
    assert "labels" in load(name).provides


def test_any_recipe_is_distilled_once_its_checkpoint_names_a_teacher(tmp_path, make_student):
    make_student(tmp_path)
    student = load_network("ot_flow", DIGITS, str(tmp_path), CPU)
    assert student.distilled
    assert student.origin.cost.teacher == "flow"


def test_a_network_without_classes_provides_no_labels(tmp_path):
    checkpoint = load(shipped("digits", "flow"))
    config = json.loads(checkpoint.metadata["architecture"]) | {"classes": 0}
    weights = UNet(UNetConfig(**config)).state_dict()
    metadata = checkpoint.metadata | {"architecture": json.dumps(config)}
    save(tmp_path / "digits" / "flow.safetensors", weights, metadata)
    network = load_network("flow", DIGITS, str(tmp_path), CPU)
    assert (network.classes, network.provides) == (0, frozenset({"ode"}))


def test_a_checkpoint_of_another_recipe_or_of_other_images_is_rejected(tmp_path):
    path = copy_of("ddpm", tmp_path, to="flow")
    with pytest.raises(CheckpointError, match=rf"{re.escape(str(path))} was trained for ddpm on 1x8x8 images, not for"):
        load_network("flow", DIGITS, str(tmp_path), CPU)
    (tmp_path / "mnist").mkdir()
    path = (tmp_path / "digits" / "flow.safetensors").rename(tmp_path / "mnist" / "ddpm.safetensors")
    with pytest.raises(CheckpointError, match="not for ddpm on mnist: restore the right file or retrain it"):
        load_network("ddpm", DATASETS.get("mnist"), str(tmp_path), CPU)


def test_a_learned_solver_belongs_to_its_teachers_network(flow_network, load, tmp_path):
    network = load("bespoke")
    teacher, own = network.origin.digest.split("+")
    assert (teacher, own) == (flow_network.origin.digest, load_digest("bespoke"))
    for name, value in flow_network.eager.state_dict().items():
        torch.testing.assert_close(network.eager.state_dict()[name], value, rtol=0, atol=0)
    weights = network.modules["solver"].state_dict()
    assert weights.keys() == get_recipe("bespoke").modules()["solver"].state_dict().keys()
    assert any(not torch.equal(value, get_recipe("bespoke").modules()["solver"].state_dict()[name])
               for name, value in weights.items()), "it has been trained"  # fmt: skip
    copy_of("flow-weak", tmp_path, to="flow")
    with pytest.raises(CheckpointError, match=r"trained for another checkpoint of flow.*`bench train bespoke --data"):
        load_network("bespoke", DIGITS, str(tmp_path), CPU)


def load_digest(name: str) -> str:
    return load(shipped("digits", name)).digest


def test_the_weak_network_of_a_learned_solver_is_its_teachers():
    weak = load_network("bespoke", DIGITS, None, CPU, weak=True)
    assert (weak.name, weak.origin.digest) == ("flow", load_digest("flow-weak"))


@pytest.mark.parametrize(("name", "part"), [("vdm", "path"), ("bespoke", "solver")])
def test_learned_modules_that_are_missing_are_an_error(name, part, tmp_path):
    checkpoint = load(shipped("digits", name))
    weights = {key: value for key, value in checkpoint.weights.items() if part != "solver" and "path." not in key}
    save(tmp_path / "digits" / f"{name}.safetensors", weights, checkpoint.metadata)
    with pytest.raises(CheckpointError, match=f"does not hold the learned {part} of {name}: retrain it"):
        load_network(name, DIGITS, str(tmp_path), CPU)


def test_a_learned_path_is_the_checkpoints(load):
    network, recipe = load("vdm"), get_recipe("vdm")
    times = torch.linspace(0, 1, 5, dtype=torch.float64)
    learned, initial = ([moment.sigma for moment in path.along(times)] for path in (network.path, recipe.path))
    assert learned != pytest.approx(initial, rel=1e-2)


def test_a_random_network_is_the_same_every_time_and_uses_no_global_generator():
    before = torch.get_rng_state()
    first, again = (random_network("flow", "digits", CPU, torch.float32) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    for one, other in zip(first.eager.parameters(), again.eager.parameters(), strict=True):
        assert torch.equal(one, other)
    assert str(first.origin) == "random random"
    assert random_network("bespoke", "digits", CPU, torch.float32).modules.keys() == {"solver"}
    assert random_network("dmd", "digits", CPU, torch.float32).modules == {}, "modules for training only are left out"


def test_the_architecture_is_the_presets_with_the_recipes_own_options():
    plain, interval = (architecture_of(get_recipe(name), PRESETS["digits"]) for name in ("flow", "meanflow"))
    assert (plain.interval, interval.interval) == (False, True)
    assert plain.resolution == interval.resolution == 8


def test_a_low_precision_network_runs_in_it():
    network = load_network("flow", DIGITS, None, CPU, torch.bfloat16)
    assert {parameter.dtype for parameter in network.eager.parameters()} == {torch.bfloat16}
    assert network.dtype == torch.bfloat16
