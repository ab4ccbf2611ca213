"""Confidence intervals, paired differences and trimmed means, in one place."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Of scipy only its special functions: scipy.stats takes most of a second to import, more than `bench compare` needs for
# everything else. The intervals below are those of scipy.stats.ttest_1samp, ttest_rel and ttest_ind, and tested to be.
from scipy.special import stdtrit

CONFIDENCE = 0.95  # of two-sided intervals, by default
TRIM = 0.2  # fraction trimmed from each tail of timings (outliers on shared machines)

Samples = Sequence[float] | np.ndarray


class Trimmed(NamedTuple):
    """A trimmed mean with its standard error and degrees of freedom; without those, NaN and 0, for a single value."""

    mean: float
    error: float
    freedom: int


def quantile(probability: float, freedom: float) -> float:
    """The quantile of Student's t distribution, which is the normal distribution for infinite degrees of freedom."""
    return float(stdtrit(freedom, probability))


def half_width(values: Samples, confidence: float = CONFIDENCE) -> float:
    """Half the t-interval of the mean of `values`; NaN for a single value."""
    if len(values) < 2:
        return float("nan")
    error = np.std(values, ddof=1) / len(values) ** 0.5
    return float(quantile((1 + confidence) / 2, len(values) - 1) * error)


def paired_difference(ours: Samples, theirs: Samples, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The mean of theirs - ours, pair by pair, and the half-width of its t-interval.

    The half-width is infinite if the spread cannot be estimated: for a single pair, or for unequal numbers of samples,
    of which the difference of the means is returned.
    """
    if len(ours) != len(theirs) or len(ours) < 2:
        return float(np.mean(theirs) - np.mean(ours)), float("inf")
    differences = np.subtract(theirs, ours)
    return float(differences.mean()), half_width(differences, confidence)


def paired_differences(
    ours: np.ndarray, theirs: np.ndarray, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray]:
    """The same of ours (B,) with each row of theirs (N, B), for B of 2 or more: the means and the half-widths, (N,)."""
    differences, pairs = theirs - ours, len(ours)
    error = differences.std(axis=1, ddof=1) / pairs**0.5
    return differences.mean(axis=1), quantile((1 + confidence) / 2, pairs - 1) * error


def trimmed(values: Samples) -> Trimmed:
    """The mean without `TRIM` of the values at either end, and its error from the winsorised variance (Yuen 1974)."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    cut = int(TRIM * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    freedom = len(kept) - 1
    if freedom < 1:
        return Trimmed(float(kept[0]) if len(kept) else float("nan"), float("nan"), 0)
    winsorised = ordered.clip(kept[0], kept[-1])
    variance = (len(ordered) - 1) * winsorised.var(ddof=1) / (len(kept) * freedom)
    return Trimmed(float(kept.mean()), float(variance**0.5), freedom)


def half_width_of_trimmed(values: Samples, confidence: float = CONFIDENCE) -> float:
    """Half the t-interval of the trimmed mean of `values`; NaN for a single value."""
    _, error, freedom = trimmed(values)
    return quantile((1 + confidence) / 2, freedom) * error if freedom else float("nan")


def trimmed_difference(ours: Samples, theirs: Samples, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The two-sided interval of theirs - ours, the difference of trimmed means of unpaired samples (Yuen 1974).

    The variances may differ: degrees of freedom as in Welch's test. NaN if either has fewer than two values.
    """
    one, other = trimmed(ours), trimmed(theirs)
    variances = one.error**2, other.error**2
    weights = sum(variance**2 / max(side.freedom, 1) for variance, side in zip(variances, (one, other), strict=True))
    freedom = sum(variances) ** 2 / weights if weights else 1  # of no consequence where nothing varies
    reach = quantile((1 + confidence) / 2, freedom) * sum(variances) ** 0.5
    return float(other.mean - one.mean - reach), float(other.mean - one.mean + reach)


def to_six_digits(value: float) -> float:
    """The value to six significant digits, as the CSV of a baseline holds it."""
    return float(f"{value:.6g}")


def median_and_iqr(values: Samples) -> tuple[float, float]:
    """The median, and the distance between the quartiles."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float(middle), float(high - low)
