"""Time grids: n steps on a path -> n + 1 times, falling from at most 1 (noise) to 0 (data)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from samplerbench.methods.core.path import Path
from samplerbench.methods.core.plugin import Between, Plugin, Registry, SpecError

TIMESTEPS = 1000  # of the discrete-time models that leading, linspace and trailing were defined for


class Grid(Plugin, ABC):
    """A time grid, made outside the sampler: the same grid serves every method."""

    def __call__(self, steps: int, path: Path) -> Tensor:
        """The n + 1 times (float64) of n = `steps` intervals on `path`. Raises SpecError if that many do not exist."""
        times = self.times(steps, path)
        if not (times.diff() < 0).all():
            raise SpecError(f"The grid {self} cannot make {steps} steps: ask for fewer, or choose another grid.")
        return times

    @abstractmethod
    def times(self, steps: int, path: Path) -> Tensor:
        """The times, which the call checks to be strictly decreasing."""


GRIDS = Registry("grid", Grid)


def _ending_at_data(times: Tensor) -> Tensor:
    return torch.cat((times, times.new_zeros(1)))


@GRIDS.register("uniform")
@dataclass(frozen=True)
class Uniform(Grid):
    """t_i = 1 - i / n."""

    def times(self, steps, path):
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


@GRIDS.register("quadratic")
@dataclass(frozen=True)
class Quadratic(Grid):
    """t_i = (1 - i / n)^2: DDIM's CIFAR-10 grid (arXiv 2010.02502, appendix D.2), but from t = 1."""

    def times(self, steps, path):
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** 2


@GRIDS.register("trailing")
@dataclass(frozen=True)
class Trailing(Grid):
    """Every (T/n)-th timestep counted from T, rounded (arXiv 2305.08891, table 2)."""

    def times(self, steps, path):
        return torch.linspace(TIMESTEPS, 0, steps + 1, dtype=torch.float64).round() / TIMESTEPS


@GRIDS.register("leading")
@dataclass(frozen=True)
class Leading(Grid):
    """Every (T/n)-th timestep counted from the first, then data: it starts below t = 1 (arXiv 2305.08891, table 2)."""

    def times(self, steps, path):
        timesteps = (torch.arange(steps - 1, -1, -1, dtype=torch.float64) * TIMESTEPS / steps).floor() + 1
        return _ending_at_data(timesteps / TIMESTEPS)


@GRIDS.register("linspace")
@dataclass(frozen=True)
class Linspace(Grid):
    """n timesteps from T to 1, evenly and rounded, then data (arXiv 2305.08891, table 2)."""

    def times(self, steps, path):
        timesteps = torch.linspace(TIMESTEPS - 1, 0, steps, dtype=torch.float64).round() + 1
        return _ending_at_data(timesteps / TIMESTEPS)


@GRIDS.register("logsnr")
@dataclass(frozen=True)
class LogSNR(Grid):
    """n times even in log-SNR, from t = 1 to t_min, then data (arXiv 2206.00927, section 3.4)."""

    def times(self, steps, path):
        first, last = path.log_snr(torch.tensor([path.t_max, path.t_min], dtype=torch.float64)).tolist()
        return _from_noise(path.time_at(torch.linspace(first, last, steps, dtype=torch.float64)))


@GRIDS.register("karras")
@dataclass(frozen=True)
class Karras(Grid):
    """n times even in (sigma / alpha)^(1/rho), from t = 1 to t_min, then data (arXiv 2206.00364, eq. 5)."""

    rho: Annotated[float, Between(0.1, 100)] = 7.0

    def times(self, steps, path):
        ends = path.log_snr(torch.tensor([path.t_max, path.t_min], dtype=torch.float64))
        first, last = (-ends / 2 / self.rho).exp().tolist()
        ratio = torch.linspace(first, last, steps, dtype=torch.float64) ** self.rho
        return _from_noise(path.time_at(-2 * ratio.log()))


def _from_noise(times: Tensor) -> Tensor:
    """Begin where the noise is drawn, also on paths whose log-SNR is infinite there, and end at data."""
    times[0] = 1.0
    return _ending_at_data(times)
