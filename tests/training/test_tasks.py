import pytest
import torch

from samplerbench.methods import Field, get_recipe
from samplerbench.training.tasks import Lesson, RecipeLoss, prepare, recipe_task


@pytest.fixture
def labels_seen():
    """A field that records the labels it is given, and the record."""
    seen = []

    def net(x, t, label=None, *_):
        seen.append(label)
        return x

    return lambda recipe: Field(net, recipe.path, recipe.target), seen


def test_labels_are_dropped_at_the_given_rate(labels_seen):
    (field, seen), recipe = labels_seen, get_recipe("flow")
    torch.manual_seed(0)
    RecipeLoss(recipe, field(recipe), 10, 0.1)(0.0, torch.zeros(5000, 1, 1, 1), torch.arange(5000) % 10)
    assert (seen[0] == 10).float().mean().item() == pytest.approx(0.1, abs=0.02)


def test_labels_of_pairs_are_kept_and_their_noise_is_used(labels_seen):
    (field, seen), recipe, labels = labels_seen, get_recipe("knowledge"), torch.arange(500) % 10
    x0 = torch.randn(500, 1, 1, 1)
    loss = RecipeLoss(recipe, field(recipe), 10, 0.5)(0.0, x0, labels, 3 * torch.ones(500, 1, 1, 1))
    assert torch.equal(seen[0], labels)
    # x0 of the network v = x at t = 1 is eps - eps = 0; the regression is on the velocity eps - x0.
    torch.testing.assert_close(loss, (3 - (3 - x0)).square().flatten())


def test_a_module_besides_the_network_is_trained_with_it(inputs):
    recipe = get_recipe("vdm")
    torch.manual_seed(0)
    task = recipe_task(recipe, inputs, Lesson(), label_drop=0.1)
    names = {name.partition(".")[0] for name, _ in task.modules.named_parameters()}
    assert names == {"network", "path"}
    batch = inputs.labelled[torch.arange(8)]
    torch.manual_seed(1)
    task.loss(0.0, *batch).mean().backward()
    gradients = [parameter.grad for name, parameter in task.modules.named_parameters() if name.startswith("path")]
    assert any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


def test_a_learned_solver_is_trained_alone(inputs, monkeypatch):
    monkeypatch.setattr("samplerbench.training.pairs.STEPS", 2)
    recipe = get_recipe("bespoke")
    lesson = prepare(recipe, inputs, pairs=16)
    list(lesson.pairs.make())
    task = recipe_task(recipe, inputs, lesson, label_drop=0.1)
    assert {name.partition(".")[0] for name, _ in task.modules.named_parameters()} == {"solver"}
    task.loss(0.0, *lesson.pairs[torch.arange(8)]).mean().backward()
    assert task.teacher.evaluations > 0
    assert all(parameter.grad is None for parameter in lesson.teacher.network.eager.parameters())


def test_pairs_that_the_start_was_trained_on_are_paid_once(inputs, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr("samplerbench.training.pairs.STEPS", 2)
    lesson = prepare(get_recipe("dmd"), inputs, pairs=16)
    list(lesson.pairs.make())
    fresh = lesson.cost.teacher_nfe
    facts = replace(lesson.start.origin.facts, pairs=lesson.pairs.label)
    start = replace(lesson.start, origin=replace(lesson.start.origin, facts=facts))
    assert fresh - replace(lesson, start=start).cost.teacher_nfe == 2 * 16
