"""What students are trained on and how they sample, against closed forms: on a Gaussian every flow map is known."""

import json
from dataclasses import replace

import pytest
import torch

import samplerbench.training.run as fit_module
from samplerbench.data.datasets import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import METHODS, RECIPES, Field, Linear, get, get_recipe, sample
from samplerbench.models import PRESETS, CheckpointError, UNet, load, save
from samplerbench.networks.backbone import load_backbone
from samplerbench.sweep.plan import Sweep, expand, normalise
from samplerbench.sweep.session import Session
from samplerbench.training.pairs import Pairs
from samplerbench.training.plan import plan_chain, plan_training
from samplerbench.training.tasks import recipe_loss
from samplerbench.training.teacher import begin_with, load_teacher

PATH = Linear()
SAMPLERS = [name for name in METHODS.names() if get_recipe(get(name).recipe).student and name != "bespoke"]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def noise_from(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype)


@pytest.mark.parametrize("found", [{"recipe": "ddpm"}, {"recipe": None}])
def test_a_checkpoint_of_another_recipe_is_no_teacher(found, tmp_path):
    checkpoint = load_teacher("flow", DATASETS.get("digits"), None, torch.device("cpu")).checkpoint
    metadata = {key: value for key, value in (checkpoint.metadata | found).items() if value}
    save(tmp_path / "digits/flow.safetensors", checkpoint.weights, metadata)
    with pytest.raises(CheckpointError, match="not for flow on digits"):
        load_teacher("flow", DATASETS.get("digits"), str(tmp_path), torch.device("cpu"))


def test_a_student_begins_as_its_teacher():
    torch.manual_seed(0)
    teacher = load_teacher("flow", DATASETS.get("digits"), None, torch.device("cpu"))
    x, t, label = torch.randn(4, 1, 8, 8), torch.rand(4), torch.arange(4)
    for name in ("reflow", "shortcut"):
        net = UNet(replace(PRESETS["digits"], **get_recipe(name).network)).eval()
        begin_with(net, teacher.unet)
        ends = (t / 2,) if net.config.interval else ()
        torch.testing.assert_close(net(x, t, label, *ends), teacher.unet(x, t, label))
    assert teacher.net.evaluations == 0


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(fit_module, "LOG_EVERY", 1)


def chain(recipe, folder, **options):
    where = {"dataset": "digits", "output": str(folder), "half": False, "device": "cpu", "data_root": None}
    return plan_chain(
        recipe, **where, download=False, **{"quarter": False, "seed": 0, "iterations": 2, "batch_size": 8} | options
    )


def test_stages_chain_and_go_on_where_they_stopped(tmp_path, short):
    names = ["progressive[steps=32]", "progressive[steps=16]", "progressive[steps=8]"]
    stages = chain("progressive[steps=8]", tmp_path)
    assert [stage.name for stage in stages] == names
    for stage in stages[:2]:
        list(stage.run())
    assert [stage.name for stage in chain("progressive[steps=8]", tmp_path)] == names[2:]
    list(stages[2].run())
    metadata = load(tmp_path / "digits/progressive[steps=8].safetensors").metadata
    assert (metadata["teacher"], metadata["origin"]) == (names[1], "flow")
    assert metadata["teacher_digest"] == load(tmp_path / f"digits/{names[1]}.safetensors").digest
    cost = json.loads(metadata["cost"])
    assert (cost["iterations"], cost["teacher_nfe"]) == (6, 3 * 2 * 2 * 8)
    assert cost["seconds"] > 0

    sweep = normalise(Sweep("progressive", steps="8,16,32", weights=str(tmp_path)))
    assert [job.recipe for job in expand(sweep)] == [names[2], names[1], names[0]]


def test_a_resumed_student_counts_what_it_had_spent_and_ends_with_the_same_weights(tmp_path, short):
    (whole,), (parts,) = chain("consistency", tmp_path / "whole"), chain("consistency", tmp_path / "parts")
    list(whole.run())
    run = parts.run()
    next(run)
    run.close()
    list(chain("consistency", tmp_path / "parts")[0].run())
    expected, found = load(whole.output), load(parts.output)
    for key, value in expected.weights.items():
        torch.testing.assert_close(found.weights[key], value, rtol=0, atol=0)
    assert (
        json.loads(found.metadata["cost"])["teacher_nfe"] == json.loads(expected.metadata["cost"])["teacher_nfe"] == 16
    )


def test_pairs_are_made_once_and_are_the_teachers(tmp_path, monkeypatch):
    import samplerbench.training.pairs as pairs_module

    monkeypatch.setattr(pairs_module, "CHUNK", 8)
    dataset, cpu = DATASETS.get("digits"), torch.device("cpu")

    def pairs():
        return Pairs(tmp_path, load_teacher("flow", dataset, None, cpu), dataset, 20, cpu)

    first = pairs()
    making = first.make()
    assert next(making)[0] == 8
    making.close()  # a kill
    again = pairs()
    assert [done for done, *_ in again.make()] == [16, 20]
    assert (again.cost.teacher_nfe, len(again)) == (400, 20)
    assert list(pairs().make()) == []

    images, labels, eps = again[torch.tensor([3, 17])]
    backbone = load_backbone("flow", dataset, None, cpu, torch.float32, False)
    exact = sample(get("flow[solver=rk4]"), backbone.field(labels), eps, 20, noise_from(0))
    assert (images - exact).square().mean().sqrt() < 0.03

    file = next(tmp_path.glob("*/images.npy"))
    file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(InputError, match="are damaged: remove the folder"):
        list(pairs().make())


def test_labels_of_pairs_stay():
    seen = []

    def net(x, t, label=None):
        seen.append(label)
        return x

    labels = torch.arange(500) % 10
    loss = recipe_loss(get_recipe("knowledge"), Field(net, PATH, "velocity"), classes=10, drop=0.5)
    loss(0.0, drawn(500, 1, 1, 1), labels, drawn(500, 1, 1, 1, seed=1))
    assert torch.equal(seen[0], labels)


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("flow", {"pairs": 10}, "--pairs has no effect on flow"),
        ("reflow", {"weak": True}, "reflow is a student: leave it out"),
        ("flow", {"half": True, "quarter": True}, "give one of them"),
    ],
)
def test_options_without_effect_are_refused(recipe, options, message):
    where = {"dataset": "digits", "output": None, "half": False, "device": "cpu", "data_root": None, "download": False}
    with pytest.raises(InputError, match=message):
        plan_training(recipe, **where | options)


def test_jumps_and_steps_find_the_networks_that_serve_them():
    jobs = expand(normalise(Sweep("knowledge,meanflow,progressive,ddim", steps="1,3")))
    assert [bool(job.skip) for job in jobs] == [False, True, False, False, False, True, False, False]
    assert "it takes 1 step only" in jobs[1].skip
    assert "it takes 1, 2, 4, 8, 16 or 32 steps only" in jobs[5].skip
    (job,) = expand(normalise(Sweep("meanflow", steps="1", recipe="flow")))
    assert "flow knows moments only" in job.skip
    (job,) = expand(normalise(Sweep("progressive", nfe="5")))
    assert (job.steps, job.recipe) == (4, "progressive[steps=4]")
    assert all(job.skip for job in expand(normalise(Sweep(SAMPLERS, steps="1", dataset="mixture"))))


def test_a_missing_stage_skips_its_row_alone(tmp_path):
    """A network under another name serves for the stages."""
    stage = load(load_teacher("flow", DATASETS.get("digits"), None, torch.device("cpu")).checkpoint.path)
    save(tmp_path / "digits/progressive.safetensors", stage.weights, stage.metadata | {"recipe": "progressive"})
    options = {"samples": 70, "timing": False, "weights": str(tmp_path), "output": str(tmp_path / "run")}
    session = Session(Sweep("progressive", steps="1,16", **options))
    assert [bool(job.skip) for job in session.jobs] == [False, True]
    assert "bench train progressive[steps=16] --dataset digits" in session.jobs[1].skip
    with pytest.raises(InputError, match="no checkpoint of progressive"):
        Session(Sweep("progressive", steps="16", **options))


def test_8_bits_are_enough_for_the_same_images(tmp_path):
    checkpoint = load_teacher("flow", DATASETS.get("digits"), None, torch.device("cpu")).checkpoint
    save(tmp_path / "digits/flow.safetensors", checkpoint.weights, checkpoint.metadata, "int8")
    assert (tmp_path / "digits/flow.safetensors").stat().st_size < 0.55 * checkpoint.path.stat().st_size
    small = load(tmp_path / "digits/flow.safetensors")
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    images = [
        sample(
            get("flow"),
            Field(each.unet().requires_grad_(False), PATH, "velocity", torch.arange(8)),
            x,
            10,
            noise_from(0),
        )
        for each in (checkpoint, small)
    ]
    assert (images[0] - images[1]).square().mean().sqrt() < 0.03


@pytest.fixture(scope="module")
def taught():
    """Noise, labels and the images that the shipped flow makes of them."""
    backbone = load_backbone("flow", DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    eps, labels = drawn(64, 1, 8, 8).float(), torch.arange(64) % 10
    with torch.inference_mode():
        return eps, labels, sample(get("flow[solver=rk4]"), backbone.field(labels), eps, 10, noise_from(0))


@pytest.mark.parametrize(
    ("name", "steps", "most"),
    [
        ("knowledge", 1, 0.13), ("dmd", 1, 0.13), ("reflow_distilled", 1, 0.13), ("reflow", 1, 0.13),
        ("progressive", 1, 0.2), ("progressive", 8, 0.1), ("consistency", 1, 0.25), ("meanflow", 1, 0.25),
        ("meanflow", 8, 0.08), ("shortcut", 1, 0.25), ("shortcut", 8, 0.08), ("bespoke", 2, 0.2), ("bespoke", 8, 0.06),
    ],
)  # fmt: skip
def test_the_shipped_students_make_their_teachers_images(name, steps, most, taught):
    eps, labels, images = taught
    method = get(name)
    recipe = method.checkpoint(steps)
    backbone = load_backbone(recipe, DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    with torch.inference_mode():
        found = sample(method, backbone.field(labels), eps, steps, noise_from(0))
    error, eulers = (found - images).square().mean().sqrt().item(), 0.36  # of Euler's single step
    assert error < most < eulers
    assert backbone.cost.teacher == "flow"
    assert backbone.cost.iterations > 0


def test_step_counts_that_a_method_does_not_take_are_told_once(tmp_path):
    from samplerbench.report.markdown import failures
    from samplerbench.report.table import table
    from samplerbench.store.results import load as load_results

    session = Session(Sweep("knowledge", steps="1,2,4", samples=70, timing=False, output=str(tmp_path)))
    for _ in session.execute():
        pass
    rows = session.store.frame()
    assert rows["status"].tolist() == ["ok", "skipped", "skipped"]
    shown = table(load_results(tmp_path))
    assert shown["method"].tolist() == ["real images", "knowledge", "noise"]
    assert failures(shown) == ["`knowledge`, 2 and 4 steps: skipped: it takes 1 step only"]
