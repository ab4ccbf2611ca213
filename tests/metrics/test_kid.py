import numpy as np
import pytest
import torch
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

from samplerbench.metrics.kid import polynomial_mmd


def test_the_estimate_is_the_unbiased_one_written_out(real):
    x, y = real.train[:6], real.test[:5]
    kernel = lambda a, b: (a @ b / 64 + 1) ** 3  # noqa: E731
    within = [
        sum(kernel(a, b) for a in z for b in z if a is not b) / (len(z) ** 2 - len(z)) for z in (list(x), list(y))
    ]
    across = sum(kernel(a, b) for a in x for b in y) / 30
    assert polynomial_mmd(x, y).item() == pytest.approx((sum(within) - 2 * across).item(), rel=1e-9)


def test_kid_of_real_images_is_zero_within_its_standard_error_and_that_of_noise_is_not(columns_of, real, noise):
    row = columns_of("kid", real, real.train)
    assert abs(row["kid"]) < 3 * row["kid_se"]
    row = columns_of("kid", real, noise.features)
    assert row["kid"] > 30 * row["kid_se"]


def test_kid_agrees_with_torch_fidelity_within_the_standard_error(columns_of, real):
    shrunk = real.train * 0.6
    row = columns_of("kid", real, shrunk)
    theirs = kid_features_to_metric(shrunk, real.test, kid_subset_size=100, kid_subsets=200, verbose=False)
    assert row["kid"] == pytest.approx(theirs[KEY_METRIC_KID_MEAN], abs=row["kid_se"])
    assert row["kid_se"] < 0.1 * row["kid"], "the agreement says something"


def test_the_standard_error_is_the_spread_over_fresh_samples(columns_of, real_features):
    generator = torch.Generator().manual_seed(0)
    draw = lambda count: torch.randn(count, 8, generator=generator, dtype=torch.float64)  # noqa: E731
    rows = [columns_of("kid", real_features(draw(400), draw(1)), draw(400)) for _ in range(60)]
    spread = np.std([row["kid"] for row in rows], ddof=1)
    assert np.sqrt(np.mean([row["kid_se"] ** 2 for row in rows])) == pytest.approx(spread, rel=0.25)
    assert abs(np.mean([row["kid"] for row in rows])) < 3 * spread / 60**0.5, "unbiased"
