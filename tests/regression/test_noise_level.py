"""The noise between runs of the same code, and the slowdown that is detectable in spite of it."""

import numpy as np
import pytest
from scipy import stats

from samplerbench.regression.noise_level import noise_level


def test_the_level_is_that_of_the_trimmed_means_of_the_runs():
    outlier = 100.0  # in every run, and trimmed
    level = noise_level("latency_s", [[mean] * 4 + [outlier] for mean in (1.0, 1.1, 0.9)])
    assert level.values == (1.0, 1.1, 0.9)
    assert level.spread == pytest.approx(0.1)
    assert level.worst == pytest.approx(0.2)


def test_the_detectable_slowdown_adds_confidence_and_power():
    level = noise_level("latency_s", [[mean] * 3 for mean in (1.0, 1.1, 0.9)])
    error = 2**0.5 * 0.1  # of the difference of two runs
    assert level.detectable == pytest.approx((stats.t.ppf(0.99, 2) + stats.t.ppf(0.8, 2)) * error)


def test_a_slowdown_of_the_detectable_size_is_detected_in_four_of_five_comparisons():
    rng = np.random.default_rng(0)
    means = 1 + 0.01 * rng.standard_normal(20)
    level = noise_level("latency_s", [[mean] * 3 for mean in means])
    slower = 1 + level.detectable + 0.01 * rng.standard_normal(4000)
    bound = stats.t.ppf(0.99, 19) * level.spread * 2**0.5
    caught = np.mean(slower - (1 + 0.01 * rng.standard_normal(4000)) > bound)
    assert 0.7 < caught < 0.95  # the spread is itself known to a sixth only
