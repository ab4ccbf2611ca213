"""The U-Net that a recipe trains, and what it is told."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from samplerbench.methods import get_recipe
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.conditions.base import CONDITIONS
from samplerbench.networks.conditions.inpaint import COPIES
from samplerbench.training.network import new_network
from samplerbench.training.tasks import Inputs, Lesson, RecipeLoss, recipe_task

CPU = torch.device("cpu")


@pytest.fixture
def inputs_of_few(few, few_weights):
    return Inputs(few, few.load(), str(few_weights), CPU)


def test_each_image_is_trained_on_with_its_own_conditions(inputs_of_few):
    new = new_network(get_recipe("inpaint"), inputs_of_few.source, inputs_of_few.labelled, None)
    conditions = CONDITIONS.get("inpaint").training(inputs_of_few.source)
    assert len(new.data) == COPIES * 120 == new.classes
    images, numbers = new.data[torch.tensor([3, 123, 479])]
    row = conditions.rows[numbers]
    torch.testing.assert_close(images * (1 - row[:, 1:]), row[:, :1])
    assert new.facts["condition"] == "inpaint"


def test_conditions_are_dropped_at_the_rate_of_labels_to_the_last_row(inputs_of_few):
    recipe, numbers, seen = get_recipe("text"), torch.arange(5000) % 120, []
    new = new_network(recipe, inputs_of_few.source, inputs_of_few.labelled, None)

    class Recorder(nn.Module):
        config = new.net.config

        def forward(self, x, t, label, s, context):
            seen.append(context)
            return x

    new.call.net = Recorder()
    torch.manual_seed(0)
    RecipeLoss(recipe, recipe.field(new.call, {}), new.classes, 0.1)(0.0, torch.zeros(5000, 1, 1, 1), numbers)
    rows = CONDITIONS.get("text").training(inputs_of_few.source).rows
    dropped = (seen[0] == rows[-1]).all(1)
    assert dropped.float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(seen[0][~dropped], rows[numbers[~dropped]])


def test_the_option_replaces_the_recipes_condition(inputs_of_few):
    task = recipe_task(get_recipe("inpaint"), replace(inputs_of_few, condition="inpaint[mask=left]"), Lesson(), 0.1)
    assert task.facts.condition == "inpaint[mask=left]"


def test_it_may_start_from_a_network_with_conditions(inputs_of_few, few, few_weights):
    start = load_network("text", few, str(few_weights), CPU)
    new = new_network(get_recipe("text"), inputs_of_few.source, inputs_of_few.labelled, start)
    for name, value in start.eager.net.state_dict().items():
        assert torch.equal(new.net.state_dict()[name], value), name
