"""A noise path given by a table: the alphas of a discrete chain, as published checkpoints define theirs."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from samplerbench.methods.core.path import Path

if TYPE_CHECKING:
    from scipy.interpolate import PchipInterpolator


@dataclass(frozen=True)
class Tabulated(Path):
    """alpha^2 of a chain of T steps: exact at t = n / T, n = 1 ... T, and interpolated monotonically in between.

    alphas_cumprod: alpha^2 at the timesteps n = 1 ... T, decreasing from just below 1; the last may be 0 (zero
        terminal SNR, arXiv 2305.08891). alpha^2 + sigma^2 = 1.
    Raises ValueError for a table that is not such a sequence.
    """

    alphas_cumprod: tuple[float, ...]

    def __post_init__(self) -> None:
        table = np.array((1.0, *self.alphas_cumprod))
        if len(table) < 3 or not (np.diff(table) < 0).all() or table[-1] < 0:
            raise ValueError("the squared alphas of a chain decrease from below 1 to 0 or above")

    @property
    def t_min(self) -> float:  # type: ignore[override]
        return 1 / len(self.alphas_cumprod)

    @property
    def t_max(self) -> float:  # type: ignore[override]
        return 1.0 if self.alphas_cumprod[-1] else 1 - self.t_min

    def coefficients(self, t):
        place = t.detach().cpu().double().numpy()
        square, slope = (torch.from_numpy(np.asarray(curve(place))).to(t) for curve in self._curves)
        noise = 1 - square
        alpha, sigma = square.sqrt(), noise.sqrt()
        return alpha, sigma, slope / 2 / alpha.clamp(min=1e-12), -slope / 2 / sigma.clamp(min=1e-12)

    @cached_property
    def _curves(self) -> "tuple[PchipInterpolator, PchipInterpolator]":
        """alpha^2 as a function of t, and its derivative."""
        from scipy.interpolate import PchipInterpolator  # 0.3 s, which only foreign checkpoints need

        square = np.array((1.0, *self.alphas_cumprod))
        curve = PchipInterpolator(np.linspace(0, 1, len(square)), square)
        return curve, curve.derivative()
