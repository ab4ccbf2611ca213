"""Noise level and half log-SNR, the variables in which solvers measure a step, and inner points of an interval."""

from collections.abc import Sequence
from itertools import compress
from math import inf, log
from typing import Literal

import torch

from samplerbench.methods.core.path import Moment, Path

Clock = Literal["t", "sigma", "lambda"]


def has_signal(m: Moment) -> bool:
    """Whether alpha differs from 0 by more than rounding."""
    return m.alpha > 1e-8 * m.sigma


def half_log_snr(m: Moment) -> float:
    """lambda = log(alpha / sigma); -inf without signal, inf without noise."""
    if not has_signal(m):
        return -inf
    return log(m.alpha / m.sigma) if m.sigma else inf


def noise_ratio(m: Moment) -> float:
    """sigma / alpha, the noise level of x / alpha, which EDM calls sigma; inf without signal."""
    return m.sigma / m.alpha if has_signal(m) else inf


def at_ratios(path: Path, ratios: Sequence[float]) -> list[Moment]:
    """The moments with these values of sigma / alpha."""
    return path.along(path.time_at(-2 * torch.tensor(ratios, dtype=torch.float64).log()))


def interior(now: Moment, then: Moment) -> bool:
    """Whether both ends have signal and noise, so that a step of higher order exists between them."""
    return has_signal(now) and then.sigma > 0


def inner_points(
    path: Path, starts: Sequence[Moment], ends: Sequence[Moment], fractions: Sequence[float], clock: Clock
) -> list[list[Moment]]:
    """The moments at `fractions` of each interval, measured in `clock`, from one call to the path.

    In sigma and lambda, an interval that is not `interior` has none: it takes a first-order step instead.
    """
    intervals = list(zip(starts, ends, strict=True))
    divided = [clock == "t" or interior(*ends) for ends in intervals]
    found = iter(_located(path, list(compress(intervals, divided)), fractions, clock))
    return [[next(found) for _ in fractions] if divide else [] for divide in divided]


def _located(
    path: Path, intervals: Sequence[tuple[Moment, Moment]], fractions: Sequence[float], clock: Clock
) -> list[Moment]:
    if not intervals or not fractions:
        return []
    measure = {"t": lambda m: m.t, "sigma": noise_ratio, "lambda": half_log_snr}[clock]
    values = [measure(a) + c * (measure(b) - measure(a)) for a, b in intervals for c in fractions]
    if clock == "sigma":
        return at_ratios(path, values)
    times = torch.tensor(values, dtype=torch.float64)
    return path.along(times if clock == "t" else path.time_at(2 * times))
