"""Weights of linear multistep methods on an arbitrary grid: means of interpolating polynomials over each interval."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from samplerbench.methods.core.coordinates import half_log_snr
from samplerbench.methods.core.path import Moment

_nodes, _masses = np.polynomial.legendre.leggauss(32)
NODES, MASSES = (_nodes + 1) / 2, _masses / 2  # of the Gauss-Legendre rule on [0, 1]

Weights = list[list[float]]  # for each interval, the weights of the slopes, newest first


def history(values: Sequence[float] | np.ndarray, counts: Sequence[int], ahead: bool = False) -> np.ndarray:
    """The coordinates of the known slopes in each interval (n, k), newest first: `counts` of them, padded with nan.

    values: the coordinates of the n + 1 grid points.
    ahead: whether the slope at the end of the interval is known too, as in a corrector.
    """
    known = np.full((len(values) - 1, max(counts)), np.nan)
    for i, count in enumerate(counts):
        newest = i + ahead
        known[i, :count] = values[newest - count + 1 : newest + 1][::-1]
    return known


def mean_weights(known: np.ndarray, points: np.ndarray, masses: np.ndarray) -> Weights:
    """The w_j with sum_j w_j f_j = int P dmu / int dmu in each interval, where P interpolates f_j at known_j.

    known: (n, k) coordinates from `history`; slopes at infinity get weight 0, those at nan get none.
    points, masses: (n, q), a quadrature rule for the measure mu on each interval.
    """
    masses = masses / masses.sum(1, keepdims=True)
    present = np.isfinite(known)
    weights = np.zeros_like(known)
    for j in range(known.shape[1]):
        basis = np.where(present[:, j, None], masses, 0.0)
        for other in set(range(known.shape[1])) - {j}:
            both = (present[:, j] & present[:, other])[:, None]
            distance = np.where(both, known[:, j, None] - known[:, other, None], 1.0)
            basis = basis * np.where(both, (points - known[:, other, None]) / distance, 1.0)
        weights[:, j] = basis.sum(1)
    return [row[: (~np.isnan(slopes)).sum()].tolist() for row, slopes in zip(weights, known, strict=True)]


def lambda_weights(
    grid: Sequence[Moment],
    counts: Sequence[int],
    rate: float,
    ahead: bool = False,
    two_point: Literal["exact", "bh1", "bh2"] = "exact",
) -> Weights:
    """Polynomials in lambda under the measure e^(rate lambda) d lambda: rate 1 for x0, -1 for eps, 1 + tau^2 for SDEs.

    counts, ahead: as in `history`. In an interval without signal or noise at an end, the newest slope has all the
    weight; with `ahead`, that is the one at the end of the interval, which makes the step implicit.
    two_point: with two slopes, bh1 and bh2 replace the exact factor of their difference quotient, int e^(-rate u) u du,
    by half of h and of 1 - e^(-rate h) (arXiv 2302.04867, section 3.1).
    """
    lambdas = np.array([half_log_snr(m) for m in grid])
    h = np.diff(lambdas)
    infinite = ~np.isfinite(h)
    h[infinite], span = 1.0, rate * np.where(infinite, 1.0, h)
    known = history(lambdas, counts, ahead)
    start = np.where(infinite, 0.0, lambdas[:-1])[:, None]
    weights = mean_weights(known, start + h[:, None] * NODES, MASSES * np.exp(span[:, None] * (NODES - 1)))
    for i, row in enumerate(weights):
        if infinite[i]:
            weights[i] = [1.0] + [0.0] * (len(row) - 1)
        elif len(row) == 2 and two_point != "exact" and np.isfinite(known[i, :2]).all():
            factor = 0.5 if two_point == "bh2" else 0.5 * span[i] / -np.expm1(-span[i])
            slope = factor * h[i] / (known[i, 0] - known[i, 1])
            weights[i] = [slope, 1 - slope] if ahead else [1 + slope, -slope]
    return weights
