import json

import pytest

from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.models import PRESETS, load, weaker
from samplerbench.sweep.jobs import expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep


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


def test_an_undistilled_teacher_is_trained_with_default_settings(plan, monkeypatch):
    monkeypatch.setattr("samplerbench.networks.checkpoints.shipped", lambda dataset, name: plan()[0].output / "nowhere")
    teacher, student = plan("reflow", iterations=3, pairs=64)
    assert (teacher.name, teacher.settings.iterations, teacher.pairs) == ("flow", 5000, 0)
    assert (student.name, student.settings.iterations, student.pairs) == ("reflow", 3, 64)


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
        ("bespoke", {"half": True}, "leave out --half"),
        ("noisy-classifier", {"weak": True}, "noisy-classifier is a classifier: leave it out"),
        ("noisy-classifier", {"pairs": 3}, "--pairs has no effect"),
        ("digits-cnn", {"dataset": "mnist"}, "classifier of the digits"),
        ("flow", {"dataset": "mixture"}, "nothing to train"),
        ("flow", {"dataset": "mnist", "data_root": "nowhere"}, "add --download"),
        ("flaw", {}, "Did you mean 'flow'?"),
    ],
)
def test_what_cannot_be_trained_is_refused(recipe, options, message, plan):
    with pytest.raises((InputError, SpecError)) as caught:
        plan(recipe, **options)
    assert message in str(caught.value)
