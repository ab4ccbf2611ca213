import pytest
import torch

from samplerbench.models import CheckpointFacts
from samplerbench.sampling.noise import BLOCKS, IMAGES_PER_BLOCK
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


@pytest.mark.parametrize("seed", [0, 1, 255])
def test_no_seed_of_training_is_one_of_sampling(seed):
    """Else images would be sampled from noise that the network was trained on."""
    trained = [iteration_seed(seed, iteration) for iteration in range(0, 900_000, 7)]
    assert min(trained) >= 0
    assert max(trained) < BLOCKS * IMAGES_PER_BLOCK, "torch ignores the higher bits of a seed"
    # The seed of an image is block * IMAGES_PER_BLOCK + index: sampling would need that many images of one block.
    assert min(number % IMAGES_PER_BLOCK for number in trained) > 100_000


def test_trainings_with_other_seeds_share_no_iteration():
    numbers = [iteration_seed(seed, iteration) for seed in range(256) for iteration in (0, 1, 5000, 2**24 - 1)]
    assert len(set(numbers)) == len(numbers)


def test_the_learning_rate_rises_then_falls_to_zero():
    settings = Settings(iterations=1000, learning_rate=1e-3)
    rates = [settings.rate(iteration) for iteration in range(1000)]
    assert rates[0] < 1e-5
    assert rates.index(max(rates)) == 199
    assert rates[-1] < 1e-8
