import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F

from bench.classifier import blur
from bench.data import to_float, to_uint8
from bench.errors import InputError
from bench.features import Extractor, RealFeatures
from bench.fidelity import FID, KID, METRICS, DensityCoverage, Novelty, PrecisionRecall, Quality, polynomial_mmd


def score(real, images):
    """The FID of images (N, 1, 8, 8) in [-1, 1]."""
    return real.frechet(real.extractor(to_uint8(images)))


def test_fid_is_the_frechet_distance_in_double_precision(real, digits):
    a = real.extractor(digits.train[:600]).numpy()
    b = real.test.numpy()
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert real.frechet(torch.from_numpy(a)) == pytest.approx(expected, rel=1e-6)


def test_the_floor_is_that_of_as_many_real_images(real):
    columns = FID()(real.train[:400], real)
    assert columns["fid"] == columns["fid_floor"] == real.floor(400)
    assert real.floor(1000) < real.floor(400), "fewer images, more bias"


def test_the_extractor_has_not_learnt_the_training_images_by_heart(real):
    """Training images are as far from held-out ones as these are from each other; else the floor were none."""
    generator = torch.Generator().manual_seed(0)
    within, across = [], []
    for _ in range(8):
        held_out, train = torch.randperm(797, generator=generator), torch.randperm(1000, generator=generator)
        against = RealFeatures(real.images, real.extractor)
        against.__dict__["test"] = real.test[held_out[:398]]
        within.append(against.frechet(real.test[held_out[398:796]]))
        across.append(against.frechet(real.train[train[:398]]))
    assert np.mean(across) == pytest.approx(np.mean(within), rel=0.1)


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


def test_novelty_tells_copies_from_unseen_images(real):
    assert Novelty()(real.train, real)["novelty"] == pytest.approx(0, abs=1e-3)
    assert Novelty()(real.test, real)["novelty"] == pytest.approx(1)


def test_inception_without_weights_says_where_they_belong(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=f"91 MB.*weights-inception-2015-12-05-6726825d.pth.*{tmp_path}.*--no-quality"):
        Extractor("inception-v3-compat", torch.device("cpu"))


def test_inception_sees_colour_and_grey_images(monkeypatch, tmp_path):
    """With random weights in the place of the real ones, which cannot be shipped."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Inception

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", lambda *_, **__: {})
    monkeypatch.setattr(Inception, "load_state_dict", lambda self, state: None)
    extractor = Extractor("inception-v3-compat", torch.device("cpu"), download=True)
    grey = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
    assert extractor(grey).shape == (2, 2048)
    torch.testing.assert_close(extractor(grey), extractor(grey.repeat(1, 3, 1, 1)))


def test_the_interval_is_the_t_interval():
    # Mean 3, standard deviation 1, n = 3: the half width is 4.3027 / sqrt(3).
    found = Quality.summarise({"fid": [2.0, 3.0, 4.0], "kid_se": [3.0, 4.0]})
    assert found["fid_ci_low"] == pytest.approx(3 - 4.30265 / 3**0.5, rel=1e-5)
    assert found["fid_ci_high"] == pytest.approx(3 + 4.30265 / 3**0.5, rel=1e-5)
    assert found["kid_se"] == pytest.approx(5 / 2)
    assert Quality.summarise({"fid": [2.0]}) == {"fid": 2.0, "fid_per_seed": "2"}


def test_kid_is_the_unbiased_estimate_written_out(real):
    x, y = real.train[:6], real.test[:5]
    kernel = lambda a, b: (a @ b / 64 + 1) ** 3  # noqa: E731
    within = [
        sum(kernel(a, b) for a in z for b in z if a is not b) / (len(z) ** 2 - len(z)) for z in (list(x), list(y))
    ]
    across = sum(kernel(a, b) for a in x for b in y) / 30
    assert polynomial_mmd(x, y).item() == pytest.approx((sum(within) - 2 * across).item(), rel=1e-9)


def test_kid_of_real_images_is_zero_within_its_standard_error_and_noise_is_not(real, digits):
    row = KID()(real.train, real)
    assert abs(row["kid"]) < 3 * row["kid_se"]
    noise = torch.randint(0, 256, digits.train.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    row = KID()(real.extractor(noise), real)
    assert row["kid"] > 30 * row["kid_se"]


class Toy:
    """Real features on a grid of points one apart."""

    reference = torch.cartesian_prod(torch.arange(20.0), torch.arange(20.0))


def test_samples_outside_lower_precision_and_uncovered_modes_lower_recall():
    inside, outside = Toy.reference + 0.1, Toy.reference + 1000
    assert PrecisionRecall()(torch.cat((inside, outside)), Toy) == {"precision": 0.5, "recall": 1.0}
    left = inside[inside[:, 0] < 10]
    row = PrecisionRecall()(left, Toy)
    assert row["precision"] == 1
    assert 0.5 <= row["recall"] < 0.65


def test_density_counts_neighbourhoods_and_coverage_those_that_are_hit():
    inside = Toy.reference + 0.1
    row = DensityCoverage()(torch.cat((inside, Toy.reference + 1000)), Toy)
    assert row["coverage"] == 1
    assert 0.3 < row["density"] < 0.7
    assert 0.5 <= DensityCoverage()(inside[inside[:, 0] < 10], Toy)["coverage"] < 0.65


@pytest.mark.parametrize("name", METRICS.names())
def test_every_metric_tells_noise_from_real_images(real, digits, name):
    noise = torch.randint(0, 256, digits.train.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    good, bad = (METRICS.get(name)(features, real) for features in (real.train, real.extractor(noise)))
    assert all(np.isfinite(value) for value in (*good.values(), *bad.values()))
    assert good != bad
