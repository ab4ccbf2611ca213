import functools

import pytest
import torch
from torch import nn

from samplerbench.models import CheckpointFacts
from samplerbench.training.loop import LabelledImages, Settings, Task, Trainer, iteration_seed
from samplerbench.training.modules import NETWORK, TrainedModules


def test_every_iteration_draws_another_batch(digits):
    seen, net = [], torch.nn.Linear(1, 1)

    def loss(fraction, images, labels):
        seen.append(images)
        return net(images[:, 0, 0, :1])

    task = Task(TrainedModules({NETWORK: net}), loss, LabelledImages(digits.train, digits.train_labels),
                CheckpointFacts())  # fmt: skip
    for _ in Trainer(task, Settings(iterations=3)).run():
        pass
    assert not torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])


@pytest.fixture
def trainer(digits):
    """trainer(**settings): four iterations of a small network with dropout."""

    def trainer(**settings) -> Trainer:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Dropout(), nn.Conv2d(4, 1, 3), nn.Flatten())
        task = Task(TrainedModules({NETWORK: net}), lambda _, images, labels: (net(images) - 1).square().mean(1),
                    LabelledImages(digits.train, digits.train_labels), CheckpointFacts())  # fmt: skip
        return Trainer(task, Settings(iterations=4, batch_size=8, **settings))

    return trainer


@pytest.mark.parametrize("settings", [{}, {"dtype": "bfloat16"}, {"compile": True}], ids=str)
def test_a_state_resumes_exactly(settings, trainer, monkeypatch):
    # Generating the code is left out: it takes a minute, and belongs to torch.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    whole, first, second = (trainer(**settings) for _ in range(3))
    assert (whole.task.modules.network._compiled_call_impl is not None) == ("compile" in settings)
    list(whole.run())
    for _ in zip(range(2), first.run(), strict=False):
        pass
    second.restore(first.state())
    assert [second.iteration, len(list(second.run()))] == [2, 2]
    expected, found = whole.state(), second.state()
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[key]) for key, value in expected.items() if key != "seconds")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_dtype_is_that_of_the_arithmetic_and_weights_stay_float32(dtype, digits):
    """Targets come first and without gradient, as students make them: it must not be lost for the prediction."""
    seen, net = [], nn.Linear(64, 1)
    before = net.weight.clone()

    def loss(fraction, images, labels):
        with torch.no_grad():
            target = net(images.flatten(1)) + 1
        predicted = net(images.flatten(1))
        seen.append(str(predicted.dtype))
        return (predicted - target).square().flatten()

    task = Task(TrainedModules({NETWORK: net}), loss, LabelledImages(digits.train, digits.train_labels),
                CheckpointFacts())  # fmt: skip
    list(Trainer(task, Settings(iterations=1, dtype=dtype)).run())
    assert seen == [f"torch.{dtype}"]
    assert {net.weight.dtype, net.weight.grad.dtype} == {torch.float32}
    assert not torch.equal(net.weight, before)


def test_trainings_with_other_seeds_share_no_iteration():
    numbers = [iteration_seed(seed, iteration) for seed in range(256) for iteration in (0, 1, 5000, 2**24 - 1)]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < 2**32, "torch ignores the higher bits of a seed"


def test_the_learning_rate_rises_then_falls_to_zero():
    settings = Settings(iterations=1000, learning_rate=1e-3)
    rates = [settings.rate(iteration) for iteration in range(1000)]
    assert rates[0] < 1e-5
    assert rates.index(max(rates)) == 199
    assert rates[-1] < 1e-8
