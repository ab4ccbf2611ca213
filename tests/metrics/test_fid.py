"""FID's definition, its reaction to damage, and its extrapolation."""

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F

from samplerbench.data.dataset import to_float, to_uint8
from samplerbench.metrics.frechet import Reference, Statistics
from samplerbench.models.augment import blur


def score(real, images):
    """The FID of images (N, 1, 8, 8) in [-1, 1]."""
    return real.frechet(real.extractor(to_uint8(images)))


def test_fid_is_the_frechet_distance_in_double_precision(real, columns_of, digits, tmp_path):
    """From images that were saved, with numpy and scipy alone."""
    np.save(tmp_path / "images.npy", digits.train[:600].numpy())
    columns = columns_of("fid", real, real.extractor(digits.train[:600]), sizes=[100] * 5)
    a = real.extractor(torch.from_numpy(np.load(tmp_path / "images.npy"))).numpy()
    b = real.extractor(digits.test).numpy()
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert columns["fid"] == pytest.approx(expected, rel=1e-6)
    assert real.frechet(torch.from_numpy(a)) == pytest.approx(expected, rel=1e-6)


def test_fid_comes_with_the_scores_of_as_many_real_images_and_of_noise(real, columns_of):
    columns = columns_of("fid", real, real.test[:300])
    assert columns["fid_floor"] == real.floor(300)
    assert columns["fid_floor_sd"] == real.floor_sd(300)
    assert columns["fid_ceiling"] == real.ceiling(300)


DAMAGE = {
    "a little noise": (lambda x, y: x + 0.2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)), 5),
    "pure noise": (lambda x, y: torch.randn(x.shape, generator=torch.Generator().manual_seed(0)), 20),
    "a little blur": (lambda x, y: torch.lerp(x, blur(x), 0.25), 3),
    "blur": (lambda x, y: blur(x), 20),
    "a missing class": (lambda x, y: x[y != 3], 3),
    "a shift by a pixel": (lambda x, y: F.pad(x, (1, 0, 0, 0), value=-1.0)[..., :-1], 5),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_raises_fid_well_above_the_floor(real, digits, name):
    damage, factor = DAMAGE[name]
    assert score(real, damage(to_float(digits.train), digits.train_labels)) > factor * real.floor(1000)


def test_more_damage_is_a_higher_fid(real, digits):
    images, generator = to_float(digits.train), torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=generator)
    scores = [score(real, images + level * noise) for level in (0.0, 0.1, 0.2, 0.4)]
    assert scores == sorted(scores)


def test_fid_inf_is_nearer_the_true_distance_than_fid(columns_of, real_features):
    """Gaussians of known means and covariances, of which 400 samples are drawn; the reference is exact."""
    scale = torch.arange(1, 33, dtype=torch.float64) ** -0.5
    shift = torch.zeros(32, dtype=torch.float64).index_fill(0, torch.tensor([0]), 0.3)
    truth = (0.3**2 + (0.2 * scale).square().sum()).item()
    real = real_features(torch.zeros(2, 32), torch.zeros(2, 32))
    exact = Statistics.known(torch.zeros(32, dtype=torch.float64), torch.diag(scale.square()))
    vars(real)["_gaussian"] = Reference(exact)

    generator = torch.Generator().manual_seed(0)
    errors = []
    for _ in range(20):
        x = shift + 1.2 * scale * torch.randn(400, 32, generator=generator, dtype=torch.float64)
        errors.append([columns_of("fid_inf", real, x)["fid_inf"] - truth, real.frechet(x) - truth])
    errors = np.array(errors)
    assert errors[:, 1].mean() > 0.05, "the bias to be removed"
    assert abs(errors[:, 0].mean()) < 0.3 * errors[:, 1].mean()
    assert np.square(errors[:, 0]).mean() < 0.5 * np.square(errors[:, 1]).mean()
