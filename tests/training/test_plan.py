import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from samplerbench.errors import InputError
from samplerbench.methods import RECIPES, SpecError, get_recipe, register
from samplerbench.models import PRESETS, load, weaker
from samplerbench.sweep.jobs import expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep
from samplerbench.training.options import TrainOptions
from samplerbench.training.plan import plan_chain
from samplerbench.training.share import Share


def test_stages_chain_and_continue_where_they_stopped(plan, short, tmp_path):
    names = ["progressive[steps=32]", "progressive[steps=16]", "progressive[steps=8]"]
    stages = plan("progressive[steps=8]", iterations=2, batch_size=8)
    assert [stage.name for stage in stages] == names
    for stage in stages[:2]:
        list(stage.run())
    assert [stage.name for stage in plan("progressive[steps=8]")] == names[2:]
    list(stages[2].run())
    facts = load(tmp_path / "digits/progressive[steps=8].safetensors").facts
    assert (facts.teacher, facts.origin) == (names[1], "flow")
    assert facts.teacher_digest == load(tmp_path / f"digits/{names[1]}.safetensors").digest
    cost = json.loads(facts.cost)
    assert (cost["iterations"], cost["teacher_nfe"]) == (6, 3 * 2 * 2 * 8)
    assert cost["seconds"] > 0

    sweep = normalise(Sweep("progressive", steps="8,16,32", weights=str(tmp_path)))
    assert [job.recipe for job in expand(sweep)] == [names[2], names[1], names[0]]


@pytest.fixture
def nothing_shipped(monkeypatch):
    monkeypatch.setattr("samplerbench.networks.checkpoints.shipped", lambda dataset, name: Path("nowhere", name))


@pytest.mark.usefixtures("nothing_shipped")
def test_an_undistilled_teacher_is_trained_with_default_settings(plan):
    teacher, student = plan("reflow", iterations=3, pairs=64, quarter=True, seed=7)
    assert (teacher.name, teacher.settings.iterations, teacher.pairs) == ("flow", 5000, 0)
    assert (student.name, student.settings.iterations, student.pairs) == ("reflow", 3, 64)
    assert teacher.options.quarter
    assert (teacher.settings.seed, teacher.options.output) == (7, student.options.output)


@pytest.mark.usefixtures("nothing_shipped")
def test_the_student_whose_weights_are_the_start_is_trained_first_with_the_same_settings(plan):
    stages = plan("dmd", iterations=3, pairs=64)
    assert [(stage.name, stage.settings.iterations, stage.pairs) for stage in stages] == [
        ("flow", 5000, 0), ("knowledge", 3, 64), ("dmd", 3, 64),
    ]  # fmt: skip


def test_all_stages_share_the_loaded_images(plan):
    first, *others = plan("progressive[steps=16]")
    assert others
    assert all(stage.inputs.images is first.inputs.images for stage in others)


def test_an_incomplete_recipe_is_refused(plan):
    class Unfinished(type(get_recipe("knowledge"))):
        teacher = None

    with RECIPES.temporarily():
        register("unfinished")(dataclass(frozen=True)(Unfinished))
        with pytest.raises(InputError, match="unfinished has no teacher, which it needs: set `teacher` in its class"):
            plan("unfinished")


def test_the_weaker_network_is_smaller_and_has_a_file_of_its_own(plan, short, tmp_path):
    list(plan(weak=True)[0].run())
    weak = load(tmp_path / "digits/flow-weak.safetensors")
    assert weak.facts.recipe == "flow"
    assert weak.unet().config == weaker(PRESETS["digits"])


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        ("flow", {"pairs": 10}, "--pairs has no effect on flow"),
        ("reflow", {"weak": True}, "reflow is a student: leave it out"),
        ("flow", {"half": True, "quarter": True}, "give one of them"),
        ("flow", {"dtype": "bloat16"}, "Networks are not trained in 'bloat16'. Did you mean 'bfloat16'?"),
        ("autoencoder", {"compile": True}, "--compile is for the network of a recipe, and autoencoder[kind=kl] is an"),
        ("bespoke", {"half": True}, "leave out --half"),
        ("noisy-classifier", {"weak": True}, "noisy-classifier is a classifier: leave it out"),
        ("noisy-classifier", {"pairs": 3}, "--pairs has no effect"),
        ("digits-cnn", {"dataset": "mnist"}, "classifier of digits: give --dataset digits"),
        ("mnist-cnn", {}, "classifier of mnist5k: give --dataset mnist5k"),
        ("encoder", {"weak": True}, "encoder is a classifier: leave it out"),
        ("encoder", {"dataset": "mixture"}, "nothing to train"),
        ("encoder[width=3]", {}, "encoder has no option 'width'. It has no options."),
        ("autoencoder", {"weak": True}, "autoencoder[kind=kl] is an autoencoder: leave it out"),
        ("autoencoder[kind=vq]", {"pairs": 3}, "autoencoder[kind=vq], which is not trained on pairs: leave it out"),
        ("autoencoder[kind=vae]", {}, "autoencoder: kind cannot be 'vae'. Choose from: kl, vq."),
        ("autoencoder[codes=9]", {}, "autoencoder has no option 'codes'."),
        ("autoencoder:kl", {}, "autoencoder takes nothing after a colon"),
        ("autoencoder[kind=vq", {}, "is not of the form name or name[key=value,key=value]"),
        ("autoencoder", {"dataset": "mixture"}, "nothing to train"),
        ("flow", {"dataset": "mixture"}, "nothing to train"),
        ("noisy-classifier", {"dataset": "mixture"}, "nothing to train"),
        ("flow", {"dataset": "mnist", "data_root": "nowhere"}, "add --download"),
        ("flaw", {}, "Did you mean 'flow'?"),
        ("flow", {"condition": "text"}, "--condition has no effect on flow"),
        ("inpaint", {"condition": "text"}, "inpaint has the condition inpaint: --condition can change its options"),
        ("inpaint", {"condition": "inpait"}, "Did you mean 'inpaint'?"),
        ("autoencoder", {"condition": "text"}, "--condition has no effect on autoencoder[kind=kl]"),
        ("flow", {"latent": "vae"}, "no autoencoder of the kind 'vae': choose from kl, vq"),
        ("flow", {"latent": "kl", "dataset": "mnist"}, "`bench train autoencoder[kind=kl] --dataset mnist` trains one"),
    ],
)
def test_what_cannot_be_trained_is_refused(recipe, options, message, plan):
    with pytest.raises((InputError, SpecError)) as caught:
        plan(recipe, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("recipe", "size", "message"),
    [
        ("flow", 15, "2 processes cannot share batches of 15: give --batch-size a multiple"),
        ("vdm", 16, "The loss of vdm couples the images of a batch, so that 2 processes cannot share it"),
        ("encoder", 16, "encoder is trained by a single process"),
    ],
)
def test_what_processes_cannot_share_is_refused(recipe, size, message):
    options = TrainOptions(batch_size=size, device="cpu")
    with pytest.raises(InputError, match=message):
        plan_chain(recipe, options, Share(0, 2))
    assert plan_chain(recipe, options)[0].name == recipe


@pytest.mark.parametrize("conditions", [{"condition": "text"}, {"teacher": "text"}])
def test_networks_with_conditions_are_not_distilled(conditions, plan):
    student = type("Student", (type(get_recipe("reflow")),), conditions)
    with RECIPES.temporarily():
        register("student")(dataclass(frozen=True)(student))
        with pytest.raises(InputError, match="student has a teacher, and networks with conditions cannot be distilled"):
            plan("student")


def test_an_encoder_is_not_trained_on_latents(few, few_weights, plan):
    with pytest.raises(InputError, match="--latent has no effect on encoder: leave it out"):
        plan("encoder", dataset="few", latent="kl", folder=str(few_weights))


def test_the_teachers_of_a_student_in_latents_are_of_these_latents(few, few_weights, plan):
    first, *_ = plan("shortcut", dataset="few", latent="kl", folder=str(few_weights))
    assert first.output == few_weights / "few/kl/shortcut.safetensors", "its teacher is there"
