"""The real images and what they anchor, the scores of a cell, and FID's reaction to damage."""

import gc
import json

import numpy as np
import pytest
import scipy.linalg
import torch
import torch.nn.functional as F

from samplerbench.data.datasets import Images, to_float, to_uint8
from samplerbench.errors import InputError
from samplerbench.metrics.features import Extractor, RealFeatures
from samplerbench.metrics.scoring import Quality
from samplerbench.models.digits_cnn import blur
from samplerbench.sweep.plan import Sweep, normalise

CPU = torch.device("cpu")


def score(real, images):
    """The FID of images (N, 1, 8, 8) in [-1, 1]."""
    return real.frechet(real.extractor(to_uint8(images)))


def quality_of(metrics=None, samples=200, **options):
    return Quality(normalise(Sweep(methods="flow", metrics=metrics, samples=samples, **options)), CPU)


def scored(quality, images, batch_size=64):
    """The columns for uint8 images of each block, {block: (N, C, H, W)}."""
    scoring = quality.start()
    for block, all_of_it in images.items():
        for batch in all_of_it.split(batch_size):
            scoring.add(block, batch)
    return scoring.columns()


@pytest.fixture(scope="module")
def quality():
    return quality_of()


def test_fid_is_the_frechet_distance_in_double_precision(quality, digits, tmp_path):
    """From images that were saved, with numpy and scipy alone."""
    np.save(tmp_path / "images.npy", digits.train[:600].numpy())
    columns = scored(quality, {0: digits.train[:600]}, batch_size=100)
    a = quality.extractor(torch.from_numpy(np.load(tmp_path / "images.npy"))).numpy()
    b = quality.extractor(digits.test).numpy()
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert columns["fid"] == [pytest.approx(expected, rel=1e-6)]
    assert quality.real.frechet(torch.from_numpy(a)) == pytest.approx(expected, rel=1e-6)


def test_the_floor_is_that_of_as_many_real_images(quality, digits):
    columns = scored(quality, {0: digits.train[:400]})
    assert columns["fid"] == pytest.approx(columns["fid_floor"], rel=1e-6)
    assert columns["fid_floor"] == [quality.real.floor(400)]
    assert quality.real.floor(1000) < quality.real.floor(400), "fewer images, more bias"
    assert quality.real.floor(5000) == quality.real.floor(1000), "there are no more"


def test_the_ceiling_is_noise_and_far_above_the_floor(quality, digits):
    noise = torch.randn(400, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    assert quality.real.ceiling(400) == pytest.approx(score(quality.real, noise), rel=0.05)
    assert quality.real.ceiling(400) > 50 * quality.real.floor(400)
    again = RealFeatures(digits, quality.extractor)
    assert again.ceiling(400) == quality.real.ceiling(400), "the same noise every time"


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
        reals = [RealFeatures(Images(draw(300), none, reference, none, True), lambda x: x) for _ in range(2)]
        fresh = np.std([reals[0].frechet(draw(count)) for _ in range(60)], ddof=1)
        ratios += [real.floor_sd(count) / fresh for real in reals]
    assert np.mean(ratios) == pytest.approx(above, rel=0.15)
    assert np.std(ratios) < 0.4


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


def test_inception_without_weights_says_where_they_belong(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(InputError, match=f"91 MB.*weights-inception-2015-12-05-6726825d.pth.*{tmp_path}.*--no-quality"):
        Extractor("inception-v3-compat", CPU)


def test_inception_sees_colour_and_grey_images(monkeypatch, tmp_path):
    """With random weights in the place of the real ones, which cannot be shipped."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Inception

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", lambda *_, **__: {})
    monkeypatch.setattr(Inception, "load_state_dict", lambda self, state: None)
    extractor = Extractor("inception-v3-compat", CPU, download=True, logits=True)
    grey = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
    seen = extractor.see(grey)
    assert (seen.features.shape, seen.logits.shape) == ((2, 2048), (2, 1008))
    torch.testing.assert_close(seen.logits, seen.features @ extractor.net.fc.weight.T.double(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(extractor(grey), extractor(grey.repeat(1, 3, 1, 1)))


def test_the_digits_logits_are_those_of_the_digit_alone(digits):
    seen = Extractor("digits-cnn", CPU, logits=True).see(digits.test)
    assert seen.logits.shape == (797, 10)
    assert (seen.logits.argmax(1) == digits.test_labels).double().mean() > 0.97
    assert Extractor("digits-cnn", CPU).see(digits.test[:2]).logits is None


def test_images_are_seen_once_whatever_the_metrics(digits, monkeypatch):
    quality, seen = quality_of("fid,kid,precision,recall,inception_score"), []
    see = type(quality.extractor).see
    monkeypatch.setattr(
        type(quality.extractor), "see", lambda self, images: seen.append(len(images)) or see(self, images)
    )
    scoring = quality.start()
    scoring.add(0, digits.train[:120])
    scoring.add(0, digits.train[120:200])
    assert seen == [797, 120, 80], "the reference, and the two batches"


def test_blocks_are_scored_apart_and_batches_do_not_matter(digits):
    quality = quality_of("fid,kid,coverage,inception_score,novelty")
    blocks = {0: digits.train[:200], 3: digits.train[200:400], 1: digits.train[400:600]}
    columns = scored(quality, blocks)
    for index, (block, images) in enumerate(blocks.items()):
        alone = scored(quality, {block: images}, batch_size=33)
        assert {name: values[index] for name, values in columns.items()} == pytest.approx(
            {name: values[0] for name, values in alone.items()}, rel=1e-5
        )
    assert {len(values) for values in columns.values()} == {3}
    assert {"fid_floor", "fid_floor_sd", "fid_ceiling", "kid_se", "inception_score"} < set(columns)


def test_a_block_that_comes_back_is_an_error(quality, digits):
    scoring = quality.start()
    for block in (0, 1):
        scoring.add(block, digits.train[:100])
    with pytest.raises(ValueError, match="Block 0 has been scored"):
        scoring.add(0, digits.train[:100])
    assert len(scoring.columns()["fid"]) == 2
    assert scoring.columns() == scoring.columns()


def test_scoring_within_inference_mode_and_without_gives_the_same(digits):
    within = quality_of()
    with torch.inference_mode():
        scoring = within.start()
        scoring.add(0, digits.train[:100])
    scoring.add(0, digits.train[100:200])
    without = scored(quality_of(), {0: digits.train[:200]}, batch_size=100)
    assert scoring.columns() == {name: pytest.approx(values, rel=1e-6) for name, values in without.items()}


def live_numbers():
    """How many numbers all tensors hold together."""
    gc.collect()
    return sum(thing.numel() for thing in gc.get_objects() if isinstance(thing, torch.Tensor))


def test_memory_of_the_default_metrics_is_at_most_a_number_for_an_image(quality, digits):
    scoring = quality.start()
    scoring.add(0, digits.train[:500])
    before = live_numbers()
    for _ in range(8):
        scoring.add(0, digits.train[:500])
    assert live_numbers() - before <= 8 * 500 + 100, "the features would be 64 times that"


def test_what_cannot_be_scored_is_an_error_before_anything_runs():
    with pytest.raises(InputError, match=r"recall\[neighbours=9\] needs at least 10 images in a seed block, not 9"):
        quality_of("recall[neighbours=9]", samples=9)
    with pytest.raises(InputError, match="fid_inf needs at least 260 images"):
        quality_of("fid_inf", samples=259)
    with pytest.raises(InputError, match="names 'kid' twice"):
        quality_of("kid,fid,kid[blocks=5]")
    assert quality_of("fid_inf,kid[blocks=5]", samples=260).metrics_named == ["fid_inf", "kid[blocks=5]"]


def test_facts_do_not_depend_on_the_metrics_of_the_data_sets_extractor():
    assert quality_of("fid,inception_score,recall").facts == quality_of().facts


def test_the_interval_is_the_t_interval():
    # Mean 3, standard deviation 1, n = 3: the half width is 4.3027 / sqrt(3).
    found = Quality.summarise({"fid": [2.0, 3.0, 4.0], "kid_se": [3.0, 4.0]})
    assert found["fid_ci_low"] == pytest.approx(3 - 4.30265 / 3**0.5, rel=1e-5)
    assert found["fid_ci_high"] == pytest.approx(3 + 4.30265 / 3**0.5, rel=1e-5)
    assert found["kid_se"] == pytest.approx(5 / 2)
    assert Quality.summarise({"fid": [2.0]}) == {"fid": 2.0, "scores_per_seed": '{"fid": [2.0]}'}


def test_values_per_seed_are_kept_to_six_digits_as_json():
    scores = {"fid": [2.123456789, 123456.789], "fid_floor": [1.0, 1.0], "kid": [1e-7 / 3, np.nan], "recall": [0.5, 1]}
    found = json.loads(Quality.summarise(scores)["scores_per_seed"])
    assert found == {"fid": [2.12346, 123457.0], "kid": [3.33333e-08, None], "recall": [0.5, 1.0]}
