"""The scores of real images and of noise, against which samples are read."""

import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS, Images, to_uint8
from samplerbench.metrics.extractors import Pixels
from samplerbench.metrics.frechet import Statistics
from samplerbench.metrics.reference import RealFeatures


def test_the_floor_is_the_score_of_as_many_real_images(real, digits):
    assert real.floor(400) == pytest.approx(real.frechet(real.extractor(digits.train[:400])), rel=1e-6)
    assert real.floor(1000) < real.floor(400), "fewer images, more bias"
    assert real.floor(5000) == real.floor(1000), "there are no more"


def test_the_ceiling_is_noise_and_far_above_the_floor(real, digits):
    noise = torch.randn(400, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    score = real.frechet(real.extractor(to_uint8(noise)))
    assert real.ceiling(400) == pytest.approx(score, rel=0.05)
    assert real.ceiling(400) > 50 * real.floor(400)
    again = RealFeatures(digits, real.extractor)
    assert again.ceiling(400) == real.ceiling(400), "the same noise every time"


@pytest.mark.parametrize(("count", "above"), [(150, 1.1), (300, 0.95)])
def test_the_spread_of_the_floor_is_that_over_fresh_real_images(count, above):
    """Gaussian features, of which there can be any number; the estimate must do with 300, none of them fresh."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.arange(1, 17, dtype=torch.float64) ** -0.5

    def draw(number):
        return scale * torch.randn(number, 16, generator=generator, dtype=torch.float64)

    ratios, none = [], torch.zeros(0)
    for _ in range(15):
        reference = draw(250)
        reals = [RealFeatures(Images(draw(300), none, reference, none, True), Pixels(16)) for _ in range(2)]
        fresh = np.std([reals[0].frechet(draw(count)) for _ in range(60)], ddof=1)
        ratios += [real.floor_sd(count) / fresh for real in reals]
    assert np.mean(ratios) == pytest.approx(above, rel=0.15)
    assert np.std(ratios) < 0.4


def test_the_extractor_has_not_memorised_the_training_images(real):
    """Training images are as far from held-out ones as these are from each other; else there would be no floor."""
    generator = torch.Generator().manual_seed(0)
    within, across = [], []
    for _ in range(8):
        held_out, train = torch.randperm(797, generator=generator), torch.randperm(1000, generator=generator)
        against = RealFeatures(real.images, real.extractor)
        against.__dict__["test"] = real.test[held_out[:398]]
        within.append(against.frechet(real.test[held_out[398:796]]))
        across.append(against.frechet(real.train[train[:398]]))
    assert np.mean(across) == pytest.approx(np.mean(within), rel=0.1)


@pytest.mark.parametrize("held_out", [True, False])
def test_reference_and_others_are_the_data_sets_choice(held_out):
    train, test, none = torch.zeros(5, 2).double(), torch.ones(3, 2).double(), torch.zeros(0)
    real = RealFeatures(Images(train, none, test, none, held_out), Pixels(2))
    reference, others = (test, train) if held_out else (train, test)
    assert torch.equal(real.reference, reference)
    assert torch.equal(real.others, others)


def test_exact_data_are_compared_with_their_exact_moments():
    images = DATASETS.get("gaussian").load()
    real = RealFeatures(images, Pixels(16))
    exact = Statistics.known(*images.moments)
    assert real.distance(exact) == pytest.approx(0, abs=1e-9)
    assert real.distance(Statistics.of(real.reference)) > 1e-4, "draws of them are not exact"


def test_numbers_of_the_real_images_are_computed_once(real):
    made = []
    fresh = RealFeatures(real.images, real.extractor)
    for key in ("a", "b", "a"):
        assert fresh.once(key, lambda key=key: made.append(key) or f"of {key}") == f"of {key}"
    assert made == ["a", "b"]
