"""Every metric: against references written out or torch-fidelity's, and the same however the images are batched."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric
from torch_fidelity.metric_prc import calculate_precision_recall_full

from samplerbench.data.datasets import Images
from samplerbench.metrics.accumulators import Seen
from samplerbench.metrics.directions import DIRECTIONS
from samplerbench.metrics.features import Extractor, RealFeatures
from samplerbench.metrics.frechet import Reference, Statistics
from samplerbench.metrics.image_metrics import METRICS, polynomial_mmd

# DINOv2's weights are not here: tests/test_dinov2.py.
# One needs weights that cannot be shipped, others run the sampler and look at no image; each has tests of its own.
REPLAYED = ("trajectory_rmse", "teacher_distance", "order")
NAMES = [name for name in METRICS.names() if name not in ("fd_dinov2", *REPLAYED)]


def columns_of(spec, real, features, logits=None, labels=None, sizes=()):
    """The columns of a metric for features (N, D) that come in batches of these sizes, and then the rest."""
    accumulator = METRICS.get(spec).start(real)
    sizes = [*sizes, len(features) - sum(sizes)]
    others = [[None] * len(sizes) if each is None else each.split(sizes) for each in (logits, labels)]
    for seen in zip(features.split(sizes), *others, strict=True):
        accumulator.update(Seen(*seen))
    return accumulator.columns()


def real_features(reference, others):
    """RealFeatures of given features (N, D), in the place of images and an extractor."""
    none = torch.zeros(0)
    return RealFeatures(Images(others, none, reference, none, held_out_reference=True), lambda features: features)


@pytest.fixture(scope="module")
def real_with_logits(digits):
    return RealFeatures(digits, Extractor("digits-cnn", torch.device("cpu"), logits=True))


@pytest.fixture(scope="module")
def logits(digits, real_with_logits):
    """Logits of the digits' classifier for training images."""
    return real_with_logits.extractor.see(digits.train).logits


@pytest.fixture(scope="module")
def noise(digits, real_with_logits):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, digits.train.shape, dtype=torch.uint8, generator=generator)
    return real_with_logits.extractor.see(images)


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_tells_noise_from_real_images_in_its_direction(real_with_logits, logits, noise, digits, name):
    real, labels = real_with_logits, digits.train_labels
    good = columns_of(name, real, real.train, logits, labels)
    bad = columns_of(name, real, noise.features, noise.logits, labels)
    assert list(good) == list(METRICS.lookup(name).columns)
    assert all(np.isfinite(value) for value in (*good.values(), *bad.values()))
    if name == "novelty":  # noise is farther from the training images than unseen digits are
        assert good["novelty"] < 0.01 < 1 < bad["novelty"]
    else:
        assert bad[name] != good[name]
        assert np.sign(bad[name] - good[name]) == DIRECTIONS[name]


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_any_size_give_the_same_columns(real_with_logits, logits, digits, name):
    real, labels = real_with_logits, digits.train_labels[:600]
    once = columns_of(name, real, real.train[:600], logits[:600], labels)
    split = columns_of(name, real, real.train[:600], logits[:600], labels, sizes=(1, 0, 256, 7, 300))
    assert split == pytest.approx(once, rel=1e-9, abs=1e-12)


def test_each_column_is_one_metrics_and_has_a_direction_or_none():
    columns = [column for name in METRICS.names() for column in METRICS.lookup(name).columns]
    assert len(columns) == len(set(columns))
    worse_when_higher = {"fid", "fid_inf", "fd_dinov2", "kid", "trajectory_rmse", "wasserstein"}
    worse_when_higher |= {"teacher_rmse", "teacher_feature_distance"}
    worse_when_lower = {"precision", "recall", "density", "coverage", "inception_score", "class_accuracy", "novelty"}
    assert {name for name, sign in DIRECTIONS.items() if sign == 1} == worse_when_higher
    assert {name for name, sign in DIRECTIONS.items() if sign == -1} == worse_when_lower


def test_directions_are_read_without_the_second_that_torch_fidelity_takes():
    check = "import sys, samplerbench.metrics.directions; assert 'torch_fidelity' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=120)


def test_kid_is_the_unbiased_estimate_written_out(real):
    x, y = real.train[:6], real.test[:5]
    kernel = lambda a, b: (a @ b / 64 + 1) ** 3  # noqa: E731
    within = [
        sum(kernel(a, b) for a in z for b in z if a is not b) / (len(z) ** 2 - len(z)) for z in (list(x), list(y))
    ]
    across = sum(kernel(a, b) for a in x for b in y) / 30
    assert polynomial_mmd(x, y).item() == pytest.approx((sum(within) - 2 * across).item(), rel=1e-9)


def test_kid_of_real_images_is_zero_within_its_standard_error_and_noise_is_not(real, noise):
    row = columns_of("kid", real, real.train)
    assert abs(row["kid"]) < 3 * row["kid_se"]
    row = columns_of("kid", real, noise.features)
    assert row["kid"] > 30 * row["kid_se"]


def test_kid_agrees_with_torch_fidelity_within_the_standard_error(real):
    shrunk = real.train * 0.6
    row = columns_of("kid", real, shrunk)
    theirs = kid_features_to_metric(shrunk, real.test, kid_subset_size=100, kid_subsets=200, verbose=False)
    assert row["kid"] == pytest.approx(theirs[KEY_METRIC_KID_MEAN], abs=row["kid_se"])
    assert row["kid_se"] < 0.1 * row["kid"], "the agreement says something"


def test_the_standard_error_of_kid_is_its_spread_over_fresh_samples():
    generator = torch.Generator().manual_seed(0)
    draw = lambda count: torch.randn(count, 8, generator=generator, dtype=torch.float64)  # noqa: E731
    rows = [columns_of("kid", real_features(draw(400), draw(1)), draw(400)) for _ in range(60)]
    spread = np.std([row["kid"] for row in rows], ddof=1)
    assert np.sqrt(np.mean([row["kid_se"] ** 2 for row in rows])) == pytest.approx(spread, rel=0.25)
    assert abs(np.mean([row["kid"] for row in rows])) < 3 * spread / 60**0.5, "unbiased"


def test_precision_and_recall_are_torch_fidelitys(real, noise):
    samples = torch.cat((real.train[:400], noise.features[:100]))
    for neighbours in (3, 7):
        expected = calculate_precision_recall_full(samples, real.test, neighbours)
        found = [
            columns_of(f"{name}[neighbours={neighbours}]", real, samples)[name] for name in ("precision", "recall")
        ]
        assert found == pytest.approx(expected, abs=1e-6)


GRID = torch.cartesian_prod(torch.arange(20.0), torch.arange(20.0)).double()  # points one apart


def test_samples_outside_lower_precision_and_uncovered_modes_lower_recall():
    score = partial(columns_of, real=real_features(GRID, GRID))
    inside = GRID + 0.1
    both = torch.cat((inside, GRID + 1000))
    assert score("precision", features=both) == {"precision": 0.5}
    assert score("recall", features=both) == {"recall": 1.0}
    left = inside[inside[:, 0] < 10]
    assert score("precision", features=left)["precision"] == 1
    assert 0.5 <= score("recall", features=left)["recall"] < 0.65


def test_density_counts_neighbourhoods_and_coverage_those_that_are_hit():
    score = partial(columns_of, real=real_features(GRID, GRID))
    inside = GRID + 0.1
    both = torch.cat((inside, GRID + 1000))
    assert score("coverage", features=both) == {"coverage": 1.0}
    assert 0.3 < score("density", features=both)["density"] < 0.7
    assert 0.5 <= score("coverage", features=inside[inside[:, 0] < 10])["coverage"] < 0.65


def test_density_of_real_images_is_one(real):
    """A neighbourhood holds as many other images as it was made to hold of its own (arXiv 2002.09797)."""
    halves = real_features(real.train[:500], real.train[500:])
    assert columns_of("density", halves, real.train[500:])["density"] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("splits", [1, 4])
def test_the_inception_score_is_torch_fidelitys(logits, splits):
    """Which cuts the images into consecutive parts; ours come in turn."""
    in_turn = torch.cat([logits[start::splits] for start in range(splits)])
    expected = isc_features_to_metric(in_turn, splits=splits, shuffle=False)[KEY_METRIC_ISC_MEAN]
    found = columns_of(f"inception_score[splits={splits}]", None, logits, logits, sizes=(1, 255, 130))
    assert found["inception_score"] == pytest.approx(expected, rel=1e-9)


def test_the_inception_score_lies_between_one_and_the_number_of_classes(logits):
    sure = 1e4 * torch.eye(10, dtype=torch.float64).repeat(5, 1)
    assert columns_of("inception_score", None, sure, sure)["inception_score"] == pytest.approx(10)
    unsure = torch.zeros(50, 10)
    assert columns_of("inception_score", None, unsure, unsure)["inception_score"] == pytest.approx(1)
    assert 9 < columns_of("inception_score", None, logits, logits)["inception_score"] < 10


def test_fid_inf_is_nearer_the_true_distance_than_fid():
    """Gaussians of known means and covariances, of which 400 samples are drawn; the reference is exact."""
    scale = torch.arange(1, 33, dtype=torch.float64) ** -0.5
    shift = torch.zeros(32, dtype=torch.float64).index_fill(0, torch.tensor([0]), 0.3)
    truth = (0.3**2 + (0.2 * scale).square().sum()).item()
    exact = Statistics(32)
    exact._scatter, exact.count = 9999 * torch.diag(scale.square()), 10_000
    real = real_features(torch.zeros(2, 32), torch.zeros(2, 32))
    vars(real)["_gaussian"] = Reference(exact)

    generator = torch.Generator().manual_seed(0)
    errors = []
    for _ in range(20):
        x = shift + 1.2 * scale * torch.randn(400, 32, generator=generator, dtype=torch.float64)
        errors.append([columns_of("fid_inf", real, x)["fid_inf"] - truth, real.frechet(x) - truth])
    errors = np.array(errors)
    assert errors[:, 1].mean() > 0.05, "the bias to be taken away"
    assert abs(errors[:, 0].mean()) < 0.3 * errors[:, 1].mean()
    assert np.square(errors[:, 0]).mean() < 0.5 * np.square(errors[:, 1]).mean()


def test_novelty_tells_copies_from_unseen_images(real):
    assert columns_of("novelty", real, real.train)["novelty"] == pytest.approx(0, abs=1e-3)
    assert columns_of("novelty", real, real.test)["novelty"] == pytest.approx(1)
