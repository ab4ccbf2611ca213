"""The variables in which solvers measure a step, and where the inner points of an interval lie in them."""

from collections.abc import Sequence
from math import inf, log
from typing import Literal

import torch

from samplerbench.methods.core.path import Moment, Path

Clock = Literal["t", "sigma", "lambda"]


def has_signal(m: Moment) -> bool:
    """Whether alpha differs from 0 by more than rounding."""
    return m.alpha > 1e-8 * m.sigma


def half_log_snr(m: Moment) -> float:
    """lambda = log(alpha / sigma): -inf where there is no signal, inf where there is no noise."""
    if not has_signal(m):
        return -inf
    return log(m.alpha / m.sigma) if m.sigma else inf


def noise_ratio(m: Moment) -> float:
    """sigma / alpha, the noise level of x / alpha: what EDM calls sigma, and inf where there is no signal."""
    return m.sigma / m.alpha if has_signal(m) else inf


def at_ratios(path: Path, ratios: Sequence[float]) -> list[Moment]:
    """The moments at which sigma / alpha has these values."""
    return path.along(path.time_at(-2 * torch.tensor(ratios, dtype=torch.float64).log()))


def interior(now: Moment, then: Moment) -> bool:
    """Whether there is both signal and noise at both ends, so that a step of higher order exists between them."""
    return has_signal(now) and then.sigma > 0


def inner_points(
    path: Path, starts: Sequence[Moment], ends: Sequence[Moment], fractions: Sequence[float], clock: Clock
) -> list[list[Moment]]:
    """For each interval the moments at `fractions` of it as `clock` measures it, all found in one call.

    In sigma and lambda, an interval that is not `interior` has none: it calls for a step of first order.
    """
    intervals = list(zip(starts, ends, strict=True))
    found = iter(_located(path, [ends for ends in intervals if clock == "t" or interior(*ends)], fractions, clock))
    return [[next(found) for _ in fractions] if clock == "t" or interior(*ends) else [] for ends in intervals]


def _located(path: Path, intervals: Sequence[tuple[Moment, Moment]], fractions: Sequence[float], clock: Clock):
    if not intervals or not fractions:
        return []
    measure = {"t": lambda m: m.t, "sigma": noise_ratio, "lambda": half_log_snr}[clock]
    values = [measure(a) + c * (measure(b) - measure(a)) for a, b in intervals for c in fractions]
    if clock == "sigma":
        return at_ratios(path, values)
    times = torch.tensor(values, dtype=torch.float64)
    return path.along(times if clock == "t" else path.time_at(2 * times))
