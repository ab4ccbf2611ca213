import torch

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
