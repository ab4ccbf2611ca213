"""Search for the time grid with which a sampler follows its network's probability-flow ODE most closely."""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from math import inf

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from samplerbench.methods import GRIDS, Path, Sampler, SpecError, get_grid
from samplerbench.networks.counted import CountedNetwork
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.generate import initial_noise, labels_for
from samplerbench.sampling.noise import SEARCH, ImageNoise
from samplerbench.sampling.reference import reference_solution

REFERENCE = "pf_ode[solver=dopri5,rtol=1e-05,atol=1e-05]"  # within 1e-3 of tolerances ten times smaller
STARTS = 2  # of the registered grids, the best ones, from which the search begins
PROBE = 0.02  # by how much the logarithm of an interval is changed for a finite difference
GAIN = 1e-3  # relative gain below which a search has converged


@dataclass
class SearchProgress:
    """Progress of the search at one step count: grids tried, of those allowed, and the least RMSE so far."""

    allowed: int
    tried: int = 0
    rmse: float = inf


class GridError:
    """The error of a sampler on time grids: the difference to the fine solution of the ODE from the same noise."""

    def __init__(self, sampler: Sampler, network: LoadedNetwork, images: int):
        self.sampler, self.network, self.images = sampler, network, images

    def registered(self) -> dict[str, Tensor]:
        """The registered grids that exist at this step count, each once: the sampler's own first.

        Of two names for the same times, the shorter one.
        """
        found: dict[str, Tensor] = {}
        for name in dict.fromkeys([str(self.sampler.grid), *sorted(GRIDS.names(), key=len)]):
            try:
                times = get_grid(name)(self.sampler.steps or 1, self.network.path)
            except SpecError:
                continue
            if not any(torch.equal(times, other) for other in found.values()):
                found[name] = times
        return found

    def squares(self, times: Tensor, purpose: str) -> np.ndarray:
        """The mean squared error of each image's pixels (N,), on the noise of the search or of the holdout."""
        return np.square(self.differences(times, purpose)).mean(axis=1)

    @torch.inference_mode()
    def differences(self, times: Tensor, purpose: str) -> np.ndarray:
        """The sampler's images minus the fine solution (N, pixels)."""
        network, noise = self.network, ImageNoise(0, range(self.images), purpose)
        field = network.field(CountedNetwork(network.net, network.dtype), labels_for(network, noise))
        states = self.sampler.method.steps(field, initial_noise(network, noise) * network.path.prior_std, times, noise)
        images = deque(states, maxlen=1).pop()
        fine = reference_solution(network, 0, self.images, REFERENCE, purpose=purpose)
        return (images - fine).flatten(1).double().cpu().numpy()


def search(error: GridError, progress: SearchProgress) -> Tensor:
    """The times (n + 1,) of least RMSE on the searched noise, starting from the best registered grids in turn."""
    registered = error.registered()
    squares = {name: float(error.squares(times, SEARCH).mean()) for name, times in registered.items()}
    starts = sorted(squares, key=squares.__getitem__)[:STARTS]
    best = registered[starts[0]]
    progress.tried, progress.rmse = len(squares), squares[starts[0]] ** 0.5
    for turn, name in enumerate(starts):
        budget = (progress.allowed - progress.tried) // (len(starts) - turn)
        refined = _Refinement(error, registered[name], budget, progress)
        refined.run()
        best = best if refined.best is None else refined.best
    return best


class _Spent(Exception):
    """The budget of a search is used up."""


class _Refinement:
    """Least squares over a grid's intervals in log-SNR, from one start. best: the times that improved on all before."""

    def __init__(self, error: GridError, start: Tensor, budget: int, progress: SearchProgress):
        self.error, self.start, self.budget, self.progress = error, start, budget, progress
        self.origin = spacing(start, error.network.path)
        self.residuals = 1  # how many there are, known from the first evaluation
        self.best: Tensor | None = None

    def run(self) -> None:
        """Search until it converges or the budget is spent."""
        # scipy's finite differences are relative: around 1 they are the same in every coordinate.
        with suppress(_Spent):
            least_squares(self._residuals, np.ones_like(self.origin), diff_step=PROBE, ftol=GAIN, x_scale="jac")

    def _residuals(self, moved: np.ndarray) -> np.ndarray:
        """Residuals whose norm is the RMSE, for log intervals moved by `moved` - 1; infinite if times do not fall."""
        if not self.budget:
            raise _Spent
        self.budget -= 1
        self.progress.tried += 1
        times = spaced(self.origin + moved - 1, self.start, self.error.network.path)
        if not (times.diff() < 0).all():
            return np.full(self.residuals, np.inf)
        differences = self.error.differences(times, SEARCH)
        rmse = float(np.square(differences).mean() ** 0.5)
        if rmse < self.progress.rmse:
            self.progress.rmse, self.best = rmse, times
        self.residuals = differences.size
        return differences.ravel() / differences.size**0.5


def spacing(times: Tensor, path: Path) -> np.ndarray:
    """The logarithms of the intervals in log-SNR up to each interior time, n - 1 numbers, any of which are valid."""
    log_snr = path.log_snr(times[:-1].clamp(max=path.t_max)).numpy()
    return np.log(np.maximum(np.diff(log_snr), 1e-6))


def spaced(point: np.ndarray, times: Tensor, path: Path) -> Tensor:
    """The inverse of `spacing`: the first and the last of `times`, with the interior times at `point`."""
    first = path.log_snr(times[:1].clamp(max=path.t_max)).item()
    interior = path.time_at(torch.from_numpy(first + np.cumsum(np.exp(np.minimum(point, 50.0)))))
    return torch.cat((times[:1], interior, times[-1:]))
