"""Simulated schedules: small ones by hand, and the bounds that any of them keeps."""

from math import isfinite, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samplerbench.sweep.simulate import END, LONGEST, NUMBER, START_UP, random_losses, simulate

UNITS = st.lists(st.integers(1, 100), min_size=1, max_size=30)
WORKERS = st.integers(1, 12)


@pytest.mark.parametrize(
    ("units", "workers", "start_up", "done", "efficiency", "limit"),
    [
        ([4, 3, 2, 1], 1, 0, [4, 7, 9, 10], 1, END),
        ([4, 3, 2, 1], 2, 0, [4, 3, 5, 5], 1, END),
        ([3, 3, 2, 2, 2], 2, 0, [3, 3, 5, 5, 7], 12 / 14, END),  # the best one takes 6
        ([9, 2, 2], 2, 0, [9, 2, 4], 13 / 18, LONGEST),
        ([4, 4], 8, 1, [5, 5], 8 / 40, NUMBER),
        ([2, 2, 2, 2], 2, 5, [7, 7, 9, 9], 8 / 18, START_UP),
    ],
)
def test_small_schedules_are_those_made_by_hand(units, workers, start_up, done, efficiency, limit):
    found = simulate(units, workers, start_up)
    assert list(found.done) == done
    assert (found.wall, found.work, found.limit) == (max(done), sum(units), limit)
    assert found.efficiency == pytest.approx(efficiency)
    assert (found.lost, found.repeated) == (0, 0)


def test_the_unit_of_a_lost_worker_goes_to_the_next_free_one():
    found = simulate([5, 4, 1, 1], 3, losses={0: 2.0})
    # At 1, worker 2 takes the last unit; at 2, worker 0 is lost and worker 2 becomes free.
    assert found.done == [7, 4, 1, 2]
    assert (found.lost, found.repeated, found.work) == (1, 2, 11)


def test_an_idle_worker_wakes_for_a_lost_unit_and_one_that_is_gone_does_not():
    found = simulate([5, 1, 1], 3, losses={0: 4.0, 1: 3.0})
    assert found.done == [9, 1, 1]
    assert (found.lost, found.repeated) == (2, 4)
    starting = simulate([5], 2, start_up=3, losses={0: 1.0})
    assert (starting.done, starting.lost, starting.repeated) == ([8], 1, 0)


def test_no_units_take_no_time_and_somebody_must_stay():
    assert simulate([], 4, start_up=3).wall == 0
    assert isnan(simulate([], 4).efficiency)
    with pytest.raises(ValueError, match="not lost"):
        simulate([1], 1, losses={0: 2.0})


@given(UNITS, WORKERS, st.integers(0, 50))
def test_the_wall_time_keeps_grahams_bounds(units, workers, start_up):
    found = simulate(units, workers, start_up)
    least = max(max(units), sum(units) / workers)
    assert least * (1 - 1e-9) <= found.wall - start_up + 1e-9
    assert found.wall - start_up <= (sum(units) / workers + max(units) * (1 - 1 / workers)) * (1 + 1e-9) + 1e-9
    assert found.efficiency <= 1 + 1e-9


@given(UNITS, WORKERS, st.sampled_from([0.05, 0.5, 1.0]), st.integers(0, 99))
def test_losses_lose_no_unit(units, workers, probability, seed):
    calm = simulate(units, workers)
    losses = random_losses(workers, probability, calm.wall, seed)
    found = simulate(units, workers, losses=losses)
    assert all(map(isfinite, found.done))
    assert all(0 <= moment <= calm.wall for moment in losses.values())
    assert found.lost <= len(losses) < workers
    assert found.work == calm.work
    held = sum(min(losses.get(worker, found.wall), found.wall) for worker in range(workers))
    assert found.work + found.repeated <= held * (1 + 1e-9), "nobody works longer than it is there"
    assert losses == random_losses(workers, probability, calm.wall, seed)


def test_one_worker_in_twenty_is_lost():
    counts = [len(random_losses(400, 0.05, 1.0, seed)) for seed in range(20)]
    assert sum(counts) / 20 == pytest.approx(20, abs=3)
    assert len({*counts}) > 1
