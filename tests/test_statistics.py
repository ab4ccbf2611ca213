"""Every interval against scipy.stats, which samplerbench does not import, and against its formula by hand."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from samplerbench.statistics import (
    half_width,
    half_width_of_trimmed,
    median_and_iqr,
    paired_difference,
    quantile,
    trimmed,
    trimmed_difference,
)

RNG = np.random.default_rng(0)
OURS, THEIRS = 1 + 0.1 * RNG.standard_normal(16), 1.2 + 0.3 * RNG.standard_normal(16)
FEW = np.array([1.1, 0.9, 5.0, 1.0, 1.2, 0.8, 1.05])  # an outlier among seven: one value is trimmed from each end


def test_quantile_is_students_and_normal_in_the_limit():
    assert quantile(0.975, 4) == pytest.approx(2.7764451, rel=1e-6)  # from tables
    assert quantile(0.99, math.inf) == pytest.approx(2.3263479, rel=1e-6)


@pytest.mark.parametrize("confidence", [0.95, 0.98])
def test_half_width_is_that_of_the_one_sample_t_interval(confidence):
    interval = stats.ttest_1samp(OURS, 0).confidence_interval(confidence)
    assert half_width(OURS, confidence) == pytest.approx((interval.high - interval.low) / 2, rel=1e-12)
    assert half_width([0, 1]) == pytest.approx(12.706205 / 2, rel=1e-6)
    assert math.isnan(half_width([1.0]))


@pytest.mark.parametrize("confidence", [0.95, 0.98])
def test_paired_difference_is_that_of_the_paired_t_test(confidence):
    interval = stats.ttest_rel(THEIRS, OURS).confidence_interval(confidence)
    mean, half = paired_difference(OURS, THEIRS, confidence)
    assert (mean - half, mean + half) == pytest.approx(interval, rel=1e-12)


def test_paired_difference_without_an_estimate_of_the_spread():
    assert paired_difference([1.0], [3.0]) == (2.0, math.inf)
    assert paired_difference([1.0, 2.0], [3.0]) == (1.5, math.inf), "unequal numbers are not paired"
    assert paired_difference([1.0, 2.0], [2.0, 3.0]) == (1.0, 0.0), "nothing varies"


def test_trimmed_mean_and_its_error_are_yuens():
    # Sorted: 0.8 | 0.9 1.0 1.05 1.1 1.2 | 5.0, with the ends replaced by their neighbours for the variance.
    kept, winsorised = [0.9, 1.0, 1.05, 1.1, 1.2], [0.9, 0.9, 1.0, 1.05, 1.1, 1.2, 1.2]
    mean = sum(winsorised) / 7
    deviation = math.sqrt(sum((x - mean) ** 2 for x in winsorised) / 6)
    found = trimmed(FEW)
    assert found.mean == pytest.approx(sum(kept) / 5)
    assert found.error == pytest.approx(deviation * math.sqrt(6 / (5 * 4)))
    assert found.freedom == 4


def test_trimmed_mean_of_a_single_value_has_no_error():
    found = trimmed([2.0])
    assert (found.mean, found.freedom) == (2.0, 0)
    assert math.isnan(found.error)


def test_half_width_of_a_trimmed_mean_is_its_error_times_the_quantile():
    assert half_width_of_trimmed(FEW) == pytest.approx(2.7764451 * trimmed(FEW).error, rel=1e-6)
    assert half_width_of_trimmed(FEW, 0.98) == pytest.approx(3.7469474 * trimmed(FEW).error, rel=1e-6)
    assert math.isnan(half_width_of_trimmed([2.0]))


@pytest.mark.parametrize("confidence", [0.95, 0.98])
@pytest.mark.parametrize("theirs", [THEIRS, FEW, THEIRS[:2]], ids=["16", "7", "2"])
def test_trimmed_difference_is_that_of_the_trimmed_welch_test(theirs, confidence):
    interval = stats.ttest_ind(theirs, OURS, equal_var=False, trim=0.2).confidence_interval(confidence)
    assert trimmed_difference(OURS, theirs, confidence) == pytest.approx(tuple(interval), rel=1e-12)


def test_trimmed_difference_by_yuens_formula():
    one, other = trimmed(OURS), trimmed(FEW)  # 10 and 5 values kept
    squares = one.error**2, other.error**2
    freedom = sum(squares) ** 2 / (squares[0] ** 2 / 9 + squares[1] ** 2 / 4)
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(sum(squares))
    difference = FEW[[1, 0, 3, 4, 6]].mean() - np.sort(OURS)[3:-3].mean()
    assert trimmed_difference(OURS, FEW) == pytest.approx((difference - reach, difference + reach), rel=1e-12)


def test_trimmed_difference_of_constants_and_of_single_values():
    assert trimmed_difference([1.0, 1.0], [3.0, 3.0]) == (2.0, 2.0)
    assert all(map(math.isnan, trimmed_difference([1.0], [2.0, 3.0])))
    assert all(map(math.isnan, trimmed_difference([], [2.0, 3.0])))


def test_median_and_iqr_ignore_an_outlier():
    assert median_and_iqr([1, 2, 3, 4, 1000]) == (3, 2)


def test_scipy_stats_which_is_slow_to_import_is_not():
    code = "import sys, samplerbench.statistics; print('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
