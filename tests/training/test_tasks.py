import copy
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import RECIPES, Denoising, Field, Linear, get_recipe, register
from samplerbench.networks.guides import NOISY_CLASSIFIER
from samplerbench.training.auxiliary import AUXILIARIES
from samplerbench.training.modules import checkpoint_weights
from samplerbench.training.tasks import Inputs, Lesson, RecipeLoss, auxiliary_task, prepare, recipe_task


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


@pytest.fixture
def with_a_helper():
    """A recipe that starts from `flow` without a teacher, and trains a module besides the network for training only."""

    class WithAHelper(Denoising):
        path, target, init_from = Linear(), "velocity", "flow"
        helper: ClassVar[str] = "helper"

        def modules(self, teacher=None):
            return {self.helper: nn.Linear(1, 1)}

        def loss(self, field, x0, label, noise, teacher):
            return super().loss(field, x0, label, noise, teacher) + field.modules[self.helper](x0[:, 0, 0, :1])[:, 0]

    with RECIPES.temporarily():
        register("with_a_helper")(dataclass(frozen=True)(WithAHelper))
        yield get_recipe("with_a_helper")


def test_a_module_for_training_only_is_trained_but_not_kept(with_a_helper, inputs, flow_network):
    task = recipe_task(with_a_helper, inputs, prepare(with_a_helper, inputs, 0), label_drop=0.1)
    for name, value in flow_network.eager.state_dict().items():
        torch.testing.assert_close(task.modules.state_dict()[f"network.{name}"], value, rtol=0, atol=0)
    assert task.teacher is None
    task.loss(0.0, *inputs.labelled[torch.arange(8)]).mean().backward()
    assert task.modules.helper.bias.grad.item() == pytest.approx(1)
    kept = checkpoint_weights(task.modules.state_dict())
    assert kept.keys() == flow_network.eager.state_dict().keys()


def test_a_module_with_the_name_of_the_network_is_refused(with_a_helper, inputs, monkeypatch):
    monkeypatch.setattr(type(with_a_helper), "helper", "network")
    with pytest.raises(ValueError, match=r"with_a_helper\.modules returns a module named 'network'"):
        recipe_task(with_a_helper, inputs, prepare(with_a_helper, inputs, 0), label_drop=0.1)


def test_a_critic_is_a_trainable_copy_of_the_teacher(inputs, flow_network, monkeypatch):
    monkeypatch.setattr("samplerbench.training.pairs.STEPS", 2)
    lesson = prepare(get_recipe("dmd"), inputs, pairs=16)
    list(lesson.pairs.make())
    task = recipe_task(get_recipe("dmd"), inputs, lesson, label_drop=0.1)
    critic, before = task.modules.critic, copy.deepcopy(lesson.teacher.network.eager.state_dict())
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())
    with torch.no_grad():
        for parameter in critic.parameters():
            assert parameter.requires_grad
            parameter.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in lesson.teacher.network.eager.state_dict().items())


def test_the_fraction_of_the_training_reaches_the_recipe(labels_seen):
    """Consistency distillation refines its times on the way: an untrained network has another loss at the end."""
    (field, _), recipe = labels_seen, get_recipe("consistency_training[intervals=1,last=64,huber=0.0]")
    loss, losses = RecipeLoss(recipe, field(recipe), 10, 0.0), []
    x0, labels = torch.ones(64, 1, 2, 2), torch.zeros(64, dtype=torch.long)
    for fraction in (0.0, 0.99):
        torch.manual_seed(0)
        losses.append(loss(fraction, x0, labels).mean().item())
    assert losses[0] != pytest.approx(losses[1], rel=0.1)


def test_a_classifier_fits_the_images_and_classes_of_the_data(inputs):
    class Coloured(type(inputs.dataset)):
        resolution, channels, classes = 16, 3, 4

    task = auxiliary_task(AUXILIARIES.get(NOISY_CLASSIFIER), replace(inputs, dataset=Coloured()))
    config = task.modules.network.config
    assert (config.resolution, config.image_channels, config.classes) == (16, 3, 4)
    assert (task.facts.kind, task.facts.dataset, task.facts.recipe) == (NOISY_CLASSIFIER, "digits", "")


def test_an_encoder_learns_rotations_where_there_are_no_labels(inputs):
    class Unlabelled(type(inputs.dataset)):
        resolution, channels, classes = 16, 3, 0

    labelled = auxiliary_task(AUXILIARIES.get("encoder"), inputs).modules.network.config
    assert (labelled.classes, labelled.rotations) == (10, False)
    task = auxiliary_task(AUXILIARIES.get("encoder"), replace(inputs, dataset=Unlabelled()))
    config = task.modules.network.config
    assert (config.resolution, config.image_channels, config.classes, config.rotations) == (16, 3, 4, True)
    assert task.facts.kind == "encoder"


def test_pairs_that_the_start_was_trained_on_are_paid_once(inputs, monkeypatch):
    monkeypatch.setattr("samplerbench.training.pairs.STEPS", 2)
    lesson = prepare(get_recipe("dmd"), inputs, pairs=16)
    list(lesson.pairs.make())
    fresh = lesson.cost.teacher_nfe
    facts = replace(lesson.start.origin.facts, pairs=lesson.pairs.label)
    start = replace(lesson.start, origin=replace(lesson.start.origin, facts=facts))
    assert fresh - replace(lesson, start=start).cost.teacher_nfe == 2 * 16


def test_images_of_ones_own_get_a_network_that_fits_them(tmp_path):
    for side, name in ((16, "even"), (9, "odd")):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).integers(0, 256, (8, 3, side, side), dtype=np.uint8))
    data = DATASETS.get(f"npy:{tmp_path / 'even.npy'}")
    inputs = Inputs(data, data.load(), str(tmp_path), torch.device("cpu"))
    task = recipe_task(get_recipe("flow"), inputs, Lesson(), 0.1)
    assert '"resolution": 16' in task.facts.architecture
    odd = DATASETS.get(f"npy:{tmp_path / 'odd.npy'}")
    with pytest.raises(InputError, match="cannot be trained on: a U-Net halves its images"):
        recipe_task(get_recipe("flow"), replace(inputs, dataset=odd), Lesson(), 0.1)
