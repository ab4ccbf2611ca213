"""The search, on errors whose least is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from samplerbench.methods import GRIDS, VE, Cosine, DiscreteVP, Linear
from samplerbench.sampling.noise import SEARCH
from samplerbench.sweep.grid_search import SearchProgress, search, spaced, spacing

PATH = Cosine()
BEST = torch.tensor([1.0, 0.8, 0.55, 0.3, 0.1, 0.0], dtype=torch.float64)


class KnownError:
    """The squared distance to the best times, curved as a Rosenbrock valley. tried: every grid."""

    network = SimpleNamespace(path=PATH)

    def __init__(self, blind: bool = False):
        self.tried, self.blind = [], blind

    def registered(self):
        return {name: GRIDS.get(name)(5, PATH) for name in ("uniform", "quadratic", "logsnr")}

    def squares(self, times, purpose):
        return np.square(self.differences(times, purpose)).mean(axis=1)

    def differences(self, times, purpose):
        self.tried.append(times)
        if self.blind:
            return np.ones((2, 5))
        off = (times - BEST).numpy()[1:-1]
        return np.tile(np.append(off, 10 * (off[1] - off[0] ** 2)), (2, 1))


def test_it_finds_the_least_error_within_its_budget():
    error, progress = KnownError(), SearchProgress(80)
    found = search(error, progress)
    torch.testing.assert_close(found, BEST, rtol=0, atol=2e-3)
    assert progress.rmse == pytest.approx(error.squares(found, SEARCH).mean() ** 0.5)
    assert len(error.tried) - 1 == progress.tried <= 80


@pytest.mark.parametrize("allowed", [4, 10, 25])
def test_it_never_exceeds_a_small_budget(allowed):
    error, progress = KnownError(), SearchProgress(allowed)
    search(error, progress)
    assert len(error.tried) == progress.tried <= allowed
    assert progress.tried > allowed // 2, "and uses it"


def test_where_nothing_helps_the_best_registered_grid_stays():
    found = search(KnownError(blind=True), SearchProgress(40))
    torch.testing.assert_close(found, GRIDS.get("uniform")(5, PATH), rtol=0, atol=0)


@pytest.mark.parametrize("path", [DiscreteVP(), Cosine(), Linear(), VE()], ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("name", ["uniform", "karras", "leading"])
def test_coordinates_give_back_their_times_and_any_coordinates_give_times_that_fall(name, path):
    times = GRIDS.get(name)(8, path)
    torch.testing.assert_close(spaced(spacing(times, path), times, path), times, rtol=1e-5, atol=1e-6)
    moved = spaced(spacing(times, path) + np.linspace(-0.5, 0.3, 7), times, path)
    assert (moved.diff() <= 0).all()
    assert (moved[0], moved[-1]) == (times[0], 0)
