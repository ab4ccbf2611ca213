from math import isnan, log10

import pytest
import torch

from samplerbench.metrics.base import METRICS, Features
from samplerbench.networks.conditions.base import Asked, Conditions


@pytest.fixture
def targets():
    return torch.randint(20, 230, (6, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def score(targets):
    """score(change, batches): the PSNR of images that restore targets 4, 1, 0, 5, each changed by so many levels."""
    conditions = Conditions(torch.zeros(7, 1), torch.zeros(6, dtype=torch.int64), targets=targets)

    def score(change, sizes=(4,)):
        accumulator, numbers = METRICS.get("psnr").accumulator(None), torch.tensor([4, 1, 0, 5])
        for part in numbers.split(sizes):
            images = (targets[part].int() + change).to(torch.uint8)
            accumulator.update(Features(torch.zeros(len(part), 2), images=images, asked=Asked(conditions, part)))
        return accumulator.columns()["psnr"]

    return score


def test_the_targets_themselves_have_the_most(score):
    assert score(0) == 100


@pytest.mark.parametrize("change", [1, -20])
def test_it_is_the_formula_and_the_mean_over_images_in_any_batches(change, score):
    assert score(change) == pytest.approx(20 * log10(255 / abs(change)))
    assert score(change, sizes=(1, 3)) == pytest.approx(score(change))


def test_networks_that_restore_nothing_have_none(targets):
    accumulator = METRICS.get("psnr").accumulator(None)
    without = Conditions(torch.zeros(7, 1), torch.zeros(6, dtype=torch.int64))
    accumulator.update(Features(torch.zeros(6, 2), images=targets))
    accumulator.update(Features(torch.zeros(6, 2), images=targets, asked=Asked(without, torch.arange(6))))
    assert isnan(accumulator.columns()["psnr"])
