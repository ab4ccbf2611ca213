"""The figures that we computed ourselves equal their closed forms, and all of them can be run."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import Sampler, get, get_recipe
from samplerbench.regression.golden.figure import chosen, read_figures
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep

FIGURES = {figure.name: figure for figure in read_figures()}
PUBLISHED = Path(__file__).parents[3] / "results/published"


class Gaussian:
    """A Gaussian in its principal axes: the state m + s z that affine steps make of unit noise z."""

    def __init__(self):
        mean, covariance = (each.numpy() for each in DATASETS.get("gaussian").distribution.moments)
        self.variance, axes = np.linalg.eigh(covariance)
        self.mean = axes.T @ mean
        self.path = get_recipe("ddpm").path

    def at(self, t):
        now = self.path.at(torch.tensor(t, dtype=torch.float64))
        return float(now.alpha), float(now.sigma)

    def denoised(self, m, s, alpha, sigma):
        """The posterior mean of the data, as the same affine map of z."""
        gain = alpha * self.variance / (alpha**2 * self.variance + sigma**2)
        return self.mean + gain * (m - alpha * self.mean), gain * s

    def distance(self, m, s):
        return ((m - self.mean) ** 2).sum() + ((abs(s) - self.variance**0.5) ** 2).sum()


def test_the_distance_of_ddim_is_its_closed_form():
    gaussian, times = Gaussian(), np.linspace(1, 0, 7)
    state = np.zeros(16), np.ones(16)
    for t, u in pairwise(times):
        (alpha, sigma), (after, below) = gaussian.at(t), gaussian.at(u)
        clean = gaussian.denoised(*state, alpha, sigma)
        state = tuple(after * c + below * (x - alpha * c) / sigma for x, c in zip(state, clean, strict=True))
    assert gaussian.distance(*state) == pytest.approx(FIGURES["gaussian-ddim"].published, rel=5e-4)


def test_the_distance_of_heun_on_the_grid_of_edm_is_its_closed_form():
    """In the frame x / alpha, where dx / dsigma = (x - denoised) / sigma (arXiv 2206.00364, algorithm 1)."""
    gaussian, path = Gaussian(), get_recipe("ddpm").path
    (a1, s1), (a0, s0) = gaussian.at(path.t_max), gaussian.at(path.t_min)
    levels = [*np.linspace((s1 / a1) ** (1 / 7), (s0 / a0) ** (1 / 7), 6) ** 7, 0.0]

    def slope(state, level):
        return [(x - c) / level for x, c in zip(state, gaussian.denoised(*state, 1.0, level), strict=True)]

    state = [np.zeros(16), np.ones(16) / a1]
    for now, then in pairwise(levels):
        first = slope(state, now)
        ahead = [x + (then - now) * d for x, d in zip(state, first, strict=True)]
        if then:
            first = [(d + e) / 2 for d, e in zip(first, slope(ahead, then), strict=True)]
        state = [x + (then - now) * d for x, d in zip(state, first, strict=True)]
    assert gaussian.distance(*state) == pytest.approx(FIGURES["gaussian-heun"].published, rel=5e-4)


def test_the_figures_of_the_digits_are_those_of_the_committed_results():
    frame = pd.read_csv(PUBLISHED.parent / "default/results.csv").set_index(["method", "steps"])["fid"]
    for name in ("ddim", "flow"):
        assert frame[name, 10] == pytest.approx(FIGURES[f"digits-{name}"].published, abs=0.005)


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.column != "difference"])
def test_every_figure_is_a_sweep_of_one_cell_with_the_published_evaluations(name):
    figure = FIGURES[name]
    options = {name: value for name, value in figure.options.items() if name != "data" or not figure.tier}
    sweep = normalise(Sweep(**options, output="unused"))
    assert [len(each or (None,)) for each in (sweep.methods, sweep.steps, sweep.grid, sweep.seeds)] == [1] * 4
    sampler = Sampler(get(figure.method), figure.options.get("steps"), figure.options.get("grid"))
    assert (sampler.nfe or 0) == figure.nfe


def test_an_interval_is_one_below_and_two_percent_above_and_not_narrower_than_three_hundredths():
    assert FIGURES["edm-euler-10"].allowed == pytest.approx((15.69 * 0.99, 15.69 * 1.02))
    assert FIGURES["edm-heun"].allowed == pytest.approx((1.94, 1.97 * 1.02))
    assert FIGURES["edm-heun-cond"].allowed == pytest.approx((1.76, 1.79 * 1.02))
    assert FIGURES["order-heun"].allowed == (1.8, 2.2)


def test_figures_are_chosen_by_tier_or_by_name():
    figures = read_figures()
    assert {figure.tier for figure in chosen(figures, (), 0)} == {0}
    assert chosen(figures, (), None) == figures
    assert [figure.name for figure in chosen(figures, ("edm-heun", "order-ddim"), None)] == ["order-ddim", "edm-heun"]
    for names, tier, message in ((("edm-hen",), None, "'edm-heun'"), ((), 9, "0 to 2"), (("edm-heun",), 1, "not both")):
        with pytest.raises(InputError, match=message):
            chosen(figures, names, tier)
