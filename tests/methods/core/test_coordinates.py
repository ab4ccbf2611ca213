from math import inf, log

import pytest
import torch

from samplerbench.methods import DiscreteVP, Linear
from samplerbench.methods.core.coordinates import (
    at_ratios,
    half_log_snr,
    has_signal,
    inner_points,
    interior,
    noise_ratio,
)

START, MIDDLE, END = Linear().along(torch.tensor([1.0, 0.25, 0.0]))
TIMES = torch.tensor([1.0, 0.8, 0.3, 0.0], dtype=torch.float64)


def test_noise_levels_are_infinite_without_signal_and_zero_without_noise():
    assert [has_signal(m) for m in (START, MIDDLE, END)] == [False, True, True]
    assert [noise_ratio(m) for m in (START, MIDDLE, END)] == pytest.approx([inf, 1 / 3, 0])
    assert [half_log_snr(m) for m in (START, MIDDLE, END)] == pytest.approx([-inf, log(3), inf])
    assert [interior(*ends) for ends in ((START, MIDDLE), (MIDDLE, END), (MIDDLE, MIDDLE))] == [False, False, True]


def test_moments_are_found_from_their_noise_levels():
    ratios = [0.01, 0.5, 3.0, 40.0]
    for path in (DiscreteVP(), Linear()):
        assert [m.sigma / m.alpha for m in at_ratios(path, ratios)] == pytest.approx(ratios, rel=1e-9)


@pytest.mark.parametrize(("clock", "variable"), [("sigma", noise_ratio), ("lambda", half_log_snr)])
def test_inner_points_lie_at_the_fractions_of_intervals_with_signal_and_noise(clock, variable):
    grid = Linear().along(TIMES)
    first, second, third = inner_points(Linear(), grid[:-1], grid[1:], [0.25, 1.0], clock)
    assert first == third == []
    a, b = variable(grid[1]), variable(grid[2])
    assert [variable(m) for m in second] == pytest.approx([a + 0.25 * (b - a), b], rel=1e-9)


def test_inner_points_in_time_exist_in_every_interval():
    grid = Linear().along(TIMES)
    found = inner_points(Linear(), grid[:-1], grid[1:], [0.5], "t")
    assert [m.t for (m,) in found] == pytest.approx([0.9, 0.55, 0.15])
