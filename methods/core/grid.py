"""Time grids: n + 1 times for n steps on a path, decreasing from 1 (noise) or just below to 0 (data), or to `end`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from samplerbench.methods.core.discovery import load_plugins
from samplerbench.methods.core.path import Path
from samplerbench.methods.core.plugin import Between, Plugin, Registry, SpecError

TIMESTEPS = 1000  # T of the discrete-time models for which leading, linspace and trailing were defined


class Grid(Plugin, ABC):
    """A time grid. It is independent of the sampler: every method can run on every grid.

    A grid that may stop above t = 0 has an option `end`, the noise level sigma / alpha where it does.
    """

    def __call__(self, steps: int, path: Path) -> Tensor:
        """The times (n + 1,), float64, of n = `steps` intervals. Raises SpecError if the grid cannot make that many."""
        times = self.times(steps, path)
        if not (times.diff() < 0).all():
            raise SpecError(f"The grid {self} cannot make {steps} steps: use fewer, or another grid.")
        return times

    @abstractmethod
    def times(self, steps: int, path: Path) -> Tensor:
        """The times (n + 1,), float64. Calling the grid also checks that they strictly decrease."""


GRIDS: Registry[Grid] = Registry("grid", Grid, load_plugins)


End = Annotated[float | None, Between(1e-9, 1e9)]  # of sigma / alpha


def _ending_at_data(times: Tensor) -> Tensor:
    return torch.cat((times, times.new_zeros(1)))


def _end_time(end: float | None, path: Path) -> float:
    """The time at which sigma / alpha is `end`; that of the data for None."""
    return 0.0 if end is None else path.time_at(-2 * torch.tensor([end], dtype=torch.float64).log()).item()


@GRIDS.register("uniform")
@dataclass(frozen=True)
class Uniform(Grid):
    """t_i = 1 - i / n.

    end: the noise level sigma / alpha to stop at, above zero, as published figures may; the state there is the image.
    """

    end: End = None

    def times(self, steps, path):
        return torch.linspace(1, _end_time(self.end, path), steps + 1, dtype=torch.float64)


@GRIDS.register("quadratic")
@dataclass(frozen=True)
class Quadratic(Grid):
    """t_i = (1 - i / n)^2: as DDIM on CIFAR-10 (arXiv 2010.02502, appendix D.2), but from t = 1; see `ddim-quadratic`.

    end: the noise level sigma / alpha to stop at.
    """

    end: End = None

    def times(self, steps, path):
        return torch.linspace(1, _end_time(self.end, path) ** 0.5, steps + 1, dtype=torch.float64) ** 2


@GRIDS.register("ddim-uniform")
@dataclass(frozen=True)
class DDIMUniform(Grid):
    """Timesteps 1, 1 + k, 1 + 2k, ... with k = T // n: "uniform" in DDIM's code; `leading` where n divides T.

    Sampling starts below t = 1, from unit noise all the same. Where n does not divide T, that code takes more than n.
    """

    def times(self, steps, path):
        timesteps = torch.arange(steps - 1, -1, -1, dtype=torch.float64) * max(TIMESTEPS // steps, 1) + 1
        if steps > TIMESTEPS:
            raise SpecError(f"The grid {self} has at most {TIMESTEPS} steps, not {steps}.")
        return _ending_at_data(timesteps / TIMESTEPS)


@GRIDS.register("ddim-quadratic")
@dataclass(frozen=True)
class DDIMQuadratic(Grid):
    """Timesteps 1 + floor(s^2), s evenly spaced from 0 to sqrt(0.8 T): "quadratic" in DDIM's code, from t = 0.801.

    points: of that sequence, n if it is none. Its first entries coincide from about 35 on, and a step between equal
    times does nothing: DDIM's 100 steps are ddim-quadratic[points=100] at 96 steps.
    """

    points: Annotated[int | None, Between(2, TIMESTEPS)] = None

    def times(self, steps, path):
        points = self.points or steps
        sequence = np.unique(np.floor(np.linspace(0, np.sqrt(0.8 * TIMESTEPS), points) ** 2))
        if len(sequence) != steps:
            raise SpecError(
                f"The grid {self} has {len(sequence)} different timesteps for {points} points, not {steps}: "
                f"use ddim-quadratic[points={points}] with {len(sequence)} steps."
            )
        return _ending_at_data(torch.from_numpy(sequence[::-1] + 1) / TIMESTEPS)


@GRIDS.register("trailing")
@dataclass(frozen=True)
class Trailing(Grid):
    """Every (T/n)-th timestep, counted down from T and rounded (arXiv 2305.08891, table 2)."""

    def times(self, steps, path):
        return torch.linspace(TIMESTEPS, 0, steps + 1, dtype=torch.float64).round() / TIMESTEPS


@GRIDS.register("leading")
@dataclass(frozen=True)
class Leading(Grid):
    """Every (T/n)-th timestep, counted up from the first; sampling starts below t = 1 (arXiv 2305.08891, table 2).

    offset: added to the timesteps, as Stable Diffusion's 1.
    """

    offset: Annotated[int, Between(0, 10)] = 0

    def times(self, steps, path):
        timesteps = (torch.arange(steps - 1, -1, -1, dtype=torch.float64) * TIMESTEPS / steps).floor() + 1 + self.offset
        return _ending_at_data(timesteps / TIMESTEPS)


@GRIDS.register("linspace")
@dataclass(frozen=True)
class Linspace(Grid):
    """n evenly spaced timesteps from T to 1, rounded, then t = 0 (arXiv 2305.08891, table 2)."""

    def times(self, steps, path):
        timesteps = torch.linspace(TIMESTEPS - 1, 0, steps, dtype=torch.float64).round() + 1
        return _ending_at_data(timesteps / TIMESTEPS)


@GRIDS.register("logsnr")
@dataclass(frozen=True)
class LogSNR(Grid):
    """n times evenly spaced in log-SNR, from t = 1 to t_min, then t = 0 (arXiv 2206.00927, section 3.4).

    end: the noise level sigma / alpha to stop at, in n intervals and without the last one to t = 0.
    """

    end: End = None

    def times(self, steps, path):
        first, last = _ratios(path, self.end).log().tolist()
        points = torch.linspace(first, last, steps + bool(self.end), dtype=torch.float64)
        return _from_noise(path.time_at(-2 * points), self.end)


@GRIDS.register("karras")
@dataclass(frozen=True)
class Karras(Grid):
    """n times evenly spaced in (sigma / alpha)^(1/rho), from t = 1 to t_min, then t = 0 (arXiv 2206.00364, eq. 5).

    end: the noise level sigma / alpha to stop at, in n intervals and without the last one to t = 0.
    """

    rho: Annotated[float, Between(0.1, 100)] = 7.0
    end: End = None

    def times(self, steps, path):
        first, last = (_ratios(path, self.end) ** (1 / self.rho)).tolist()
        ratio = torch.linspace(first, last, steps + bool(self.end), dtype=torch.float64) ** self.rho
        return _from_noise(path.time_at(-2 * ratio.log()), self.end)


@GRIDS.register("shifted")
@dataclass(frozen=True)
class Shifted(Grid):
    """t = shift s / (1 + (shift - 1) s), s evenly spaced from 1 to `last`, then t = 0 (arXiv 2403.03206, eq. 23).

    last: 1 / n if it is none, as in FLUX's pipeline. That of SD3 takes 0.001, shifted: 0.002994 for a shift of 3.
    """

    shift: Annotated[float, Between(0.01, 100)] = 3.0
    last: Annotated[float | None, Between(1e-6, 0.5)] = None

    def times(self, steps, path):
        s = torch.linspace(1, self.last or 1 / steps, steps, dtype=torch.float64)
        return _ending_at_data(self.shift * s / (1 + (self.shift - 1) * s))


def _ratios(path: Path, end: float | None) -> Tensor:
    """sigma / alpha where a path starts, and at `end` or its smallest time (2,)."""
    ratios = (-path.log_snr(torch.tensor([path.t_max, path.t_min], dtype=torch.float64)) / 2).exp()
    if end:
        ratios[1] = end
    return ratios


def _from_noise(times: Tensor, end: float | None) -> Tensor:
    """Replace the first time by 1, where some paths have no finite log-SNR, and append 0 unless there is an end."""
    times[0] = 1.0
    return times if end else _ending_at_data(times)
