"""Coefficients of a step that is exact for a given mean of x0 or eps over the interval."""

from math import sqrt

from samplerbench.methods.core.path import Moment


def x0_step(now: Moment, then: Moment, eta: float = 0.0) -> tuple[float, float, float]:
    """The coefficients of x, mean(x0) and z in the step of `X0Multistep`; valid without signal or noise too."""
    decay = now.alpha * then.sigma / (then.alpha * now.sigma)  # e^-h
    return (
        then.sigma / now.sigma * decay**eta,
        then.alpha * (1 - decay ** (1 + eta)),
        then.sigma * sqrt(1 - decay ** (2 * eta)),
    )


def eps_step(now: Moment, then: Moment) -> tuple[float, float]:
    """The coefficients of x and mean(eps) in the step of `EpsMultistep`, for an interval that starts with signal."""
    return then.alpha / now.alpha, then.sigma - now.sigma * then.alpha / now.alpha
