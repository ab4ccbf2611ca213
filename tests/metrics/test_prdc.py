from functools import partial

import pytest
import torch
from torch_fidelity.metric_prc import calculate_precision_recall_full


def test_precision_and_recall_are_torch_fidelitys(columns_of, real, noise):
    samples = torch.cat((real.train[:400], noise.features[:100]))
    for neighbours in (3, 7):
        expected = calculate_precision_recall_full(samples, real.test, neighbours)
        found = [
            columns_of(f"{name}[neighbours={neighbours}]", real, samples)[name] for name in ("precision", "recall")
        ]
        assert found == pytest.approx(expected, abs=1e-6)


def test_samples_outside_lower_precision_and_uncovered_modes_lower_recall(columns_of, real_features, grid):
    score = partial(columns_of, real=real_features(grid, grid))
    inside = grid + 0.1
    both = torch.cat((inside, grid + 1000))
    assert score("precision", features=both) == {"precision": 0.5}
    assert score("recall", features=both) == {"recall": 1.0}
    left = inside[inside[:, 0] < 10]
    assert score("precision", features=left)["precision"] == 1
    assert 0.5 <= score("recall", features=left)["recall"] < 0.65


def test_density_counts_neighbourhoods_and_coverage_those_that_hold_a_sample(columns_of, real_features, grid):
    score = partial(columns_of, real=real_features(grid, grid))
    inside = grid + 0.1
    both = torch.cat((inside, grid + 1000))
    assert score("coverage", features=both) == {"coverage": 1.0}
    assert 0.3 < score("density", features=both)["density"] < 0.7
    assert 0.5 <= score("coverage", features=inside[inside[:, 0] < 10])["coverage"] < 0.65


def test_density_of_real_images_is_one(columns_of, real_features, real):
    """A neighbourhood holds as many other images as the reference images it was made to hold (arXiv 2002.09797)."""
    halves = real_features(real.train[:500], real.train[500:])
    assert columns_of("density", halves, real.train[500:])["density"] == pytest.approx(1, abs=0.1)
