from dataclasses import replace

import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import get_recipe
from samplerbench.models import PRESETS, CheckpointError, CheckpointFacts, UNet, load, save, shipped
from samplerbench.models.kinds import facts_of
from samplerbench.training.teacher import cost_of_stages, init_from_teacher, load_teacher

CPU = torch.device("cpu")


@pytest.mark.parametrize("recipe", ["ddpm", ""])
def test_a_checkpoint_of_another_recipe_is_no_teacher(recipe, tmp_path):
    checkpoint = load(shipped("digits", "flow"))
    metadata = {key: value for key, value in (checkpoint.metadata | {"recipe": recipe}).items() if value}
    save(tmp_path / "digits/flow.safetensors", checkpoint.weights, metadata)
    with pytest.raises(CheckpointError, match="not for flow on digits"):
        load_teacher("flow", DATASETS.get("digits"), str(tmp_path), CPU)


def test_a_teacher_of_other_classes_is_refused(tmp_path):
    checkpoint = load(shipped("digits", "flow"))
    net = UNet(replace(checkpoint.unet().config, classes=7))
    facts = facts_of(net)
    save(tmp_path / "digits/flow.safetensors", net.state_dict(), checkpoint.metadata | facts.metadata)
    with pytest.raises(CheckpointError, match=r"flow.*was trained for other classes than those of digits: retrain it"):
        load_teacher("flow", DATASETS.get("digits"), str(tmp_path), CPU)


def test_a_time_embedding_of_another_scale_is_not_copied():
    torch.manual_seed(0)
    teacher = UNet(PRESETS["digits"])
    student = UNet(replace(PRESETS["digits"], time_scale=10.0))
    before = student.time.layers[0].weight.clone()
    init_from_teacher(student, teacher)
    assert torch.equal(student.time.layers[0].weight, before)
    assert torch.equal(student.conv_in.weight, teacher.conv_in.weight)


@pytest.mark.parametrize("name", ["reflow", "shortcut"])
def test_a_student_starts_as_its_teacher(name):
    torch.manual_seed(0)
    teacher = load_teacher("flow", DATASETS.get("digits"), None, CPU)
    x, t, label = torch.randn(4, 1, 8, 8), torch.rand(4), torch.arange(4)
    net = UNet(replace(PRESETS["digits"], **get_recipe(name).network)).eval()
    init_from_teacher(net, teacher.network.eager)
    ends = (t / 2,) if net.config.interval else ()
    torch.testing.assert_close(net(x, t, label, *ends), teacher.network.eager(x, t, label), rtol=1e-4, atol=1e-5)
    assert teacher.counted.evaluations == 0


def test_the_root_of_a_chain_is_the_undistilled_network():
    digits = DATASETS.get("digits")
    flow, reflow = (load_teacher(name, digits, None, CPU) for name in ("flow", "reflow"))
    facts = reflow.recorded(CheckpointFacts(recipe="reflow_distilled"))
    assert (facts.teacher, facts.origin) == ("reflow", "flow")
    assert facts.teacher_digest == reflow.network.origin.digest
    assert flow.recorded(facts).origin == "flow"
    assert cost_of_stages(flow.network).iterations == 0 < cost_of_stages(reflow.network).iterations


def test_input_channels_that_a_teacher_lacks_start_without_effect():
    torch.manual_seed(0)
    teacher = UNet(PRESETS["digits"])
    torch.nn.init.normal_(teacher.conv_out.weight)
    student = UNet(replace(PRESETS["digits"], inputs=2))
    init_from_teacher(student, teacher)
    x, more, t, label = torch.randn(3, 1, 8, 8), torch.randn(3, 2, 8, 8), torch.rand(3), torch.arange(3)
    found = student.eval()(torch.cat((x, more), 1), t, label)
    torch.testing.assert_close(found, teacher.eval()(x, t, label))
    assert found.std() > 0.1
