"""Least squares without derivatives: Levenberg and Marquardt's method on differences, one evaluation at a time."""

from collections.abc import Callable, Iterator

import numpy as np

PROBE = 0.02  # how far a coordinate is moved for a difference
GAIN = 1e-3  # the relative gain of a step below which the search has converged
STIFFEST = 1e6  # the damping at which no step helps any more


def minimise(residuals: Callable[[np.ndarray], np.ndarray], point: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the best point so far and the norm of its residuals, after every evaluation of `residuals`.

    A point that is out of bounds has infinite residuals. It ends where no step helps; the caller may stop it earlier.
    """
    here = residuals(point)
    best, damping = float(np.linalg.norm(here)), 1e-2
    yield point, best
    while np.isfinite(best) and damping < STIFFEST:
        slopes = []
        for axis in np.eye(len(point)):
            slopes.append((residuals(point + PROBE * axis) - here) / PROBE)
            yield point, best
        jacobian, before = np.stack(slopes, axis=1), best
        while best == before and damping < STIFFEST:
            trial = point - _step(jacobian, here, damping)
            there = residuals(trial)
            norm = float(np.linalg.norm(there))
            if norm < best:
                point, here, best, damping = trial, there, norm, damping / 5
            else:
                damping *= 5
            yield point, best
        if before - best < GAIN * before:
            return


def _step(jacobian: np.ndarray, residuals: np.ndarray, damping: float) -> np.ndarray:
    normal = jacobian.T @ jacobian
    damped = normal + damping * np.diag(np.diag(normal) + 1e-12)
    return np.linalg.lstsq(damped, jacobian.T @ residuals, rcond=None)[0]
