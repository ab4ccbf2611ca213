"""What holds for every metric of images, from real images to noise, however they are batched."""

import subprocess
import sys

import numpy as np
import pytest

from samplerbench.metrics.base import METRICS, ImageMetric

OF_CONDITIONS = {"prompt_accuracy", "psnr"}  # blank for these images, which were generated under none
NAMES = [
    name for name in METRICS.names() if issubclass(METRICS.lookup(name), ImageMetric) and name not in OF_CONDITIONS
]


@pytest.mark.parametrize("name", NAMES)
def test_noise_scores_worse_than_real_images(name, columns_of, real_with_logits, logits, noise, digits):
    real, labels, columns = real_with_logits, digits.train_labels, METRICS.lookup(name).columns
    good = columns_of(name, real, real.train, logits, labels)
    bad = columns_of(name, real, noise.features, noise.logits, labels)
    assert list(good) == [column.name for column in columns]
    assert all(np.isfinite(value) for value in (*good.values(), *bad.values()))
    if name == "novelty":  # noise is farther from the training images than unseen digits are
        assert good["novelty"] < 0.01 < 1 < bad["novelty"]
    else:
        assert bad[name] != good[name]
        assert np.sign(bad[name] - good[name]) == {"lower": 1, "higher": -1}[columns[0].better]


@pytest.mark.parametrize("name", sorted(OF_CONDITIONS))
def test_metrics_of_conditions_are_blank_without_any(name, columns_of, real_with_logits, logits):
    columns = columns_of(name, real_with_logits, real_with_logits.train, logits)
    assert list(columns) == [column.name for column in METRICS.lookup(name).columns]
    assert np.isnan(columns[name])


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_any_size_give_the_same_columns(name, columns_of, real_with_logits, logits, digits):
    real, labels = real_with_logits, digits.train_labels[:600]
    once = columns_of(name, real, real.train[:600], logits[:600], labels)
    split = columns_of(name, real, real.train[:600], logits[:600], labels, sizes=(1, 0, 256, 7, 300))
    assert split == pytest.approx(once, rel=1e-9, abs=1e-12)


def test_each_column_belongs_to_one_metric_and_has_its_direction():
    columns = [column for name in METRICS.names() for column in METRICS.lookup(name).columns]
    assert len(columns) == len({column.name for column in columns})
    lower = {"fid", "fid_inf", "fd", "fdr", "kid", "mind", "trajectory_rmse", "wasserstein"}
    lower |= {"teacher_rmse", "teacher_feature_distance", "reconstruction_fid"}
    higher = {"precision", "recall", "density", "coverage", "inception_score", "class_accuracy", "novelty"}
    higher |= {"psnr", "reconstruction_psnr", "prompt_accuracy"}
    higher |= {f"prompt_{trait}" for trait in ("digit", "slant", "stroke", "size")}
    assert {column.name for column in columns if column.better == "lower"} == lower
    assert {column.name for column in columns if column.better == "higher"} == higher


def test_columns_refer_to_columns_of_the_same_metric():
    for name in METRICS.names():
        columns = METRICS.lookup(name).columns
        own = {column.name for column in columns}
        for column in columns:
            assert {column.spread, column.floor, column.floor_spread, column.ceiling} <= own | {"", "blocks"}


def test_the_base_imports_without_torch_fidelity_which_takes_a_second():
    check = "import sys, samplerbench.metrics.base; assert 'torch_fidelity' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=120)
