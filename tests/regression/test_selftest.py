"""The gate on a real sampler, sound and with known faults."""

from collections import Counter

import pytest

from samplerbench.regression.selftest import Outcome, Size, as_markdown, selftest

SMALL = Size(steps=2, samples=60, blocks=5, calibration=range(4000, 4002))


@pytest.fixture(scope="module")
def outcomes():
    *_, last = selftest(1, "cpu", SMALL)
    return {each.fault: each for each in last}


def test_sound_code_and_noise_do_not_fire(outcomes):
    silent = [each for each in outcomes.values() if each.silent]
    assert {each.fault for each in silent} == {
        "the same code again",
        "noise only: rounding errors of 1e-4 in every step",
    }
    assert [(each.trials, each.fired) for each in silent] == [(1, 0), (1, 0)]


@pytest.mark.parametrize(
    ("fault", "fields"),
    [
        ("slower: one extra evaluation", {"nfe": 1}),
        ("worse: the last step is left out", {"fid": 1}),
        ("worse: two times of the grid are swapped", {"failed cell": 1}),  # of two steps, the last time comes first
        ("worse: slight noise in the images, enough for a 10 % higher FID", {"fid": 1}),
    ],
)
def test_faults_fire_by_their_own_field(outcomes, fault, fields):
    assert (outcomes[fault].fired, dict(outcomes[fault].fields)) == (1, fields)


def test_a_slowdown_fires_by_its_ratio_to_the_network(outcomes):
    assert "inner_ratio" in outcomes["slower: 20 % more time in every step"].fields


def test_nothing_is_left_behind(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    next(selftest(1, "cpu", Size(steps=1, samples=4, blocks=1, calibration=range(1))))
    assert list(tmp_path.iterdir()) == []


def test_outcomes_add_up_over_trials():
    outcome = Outcome("broken", silent=False).after(["fid", "nfe"]).after([]).after(["fid"])
    assert (outcome.trials, outcome.fired, outcome.fields) == (3, 2, Counter(fid=2, nfe=1))


def test_the_table_says_what_should_happen_and_what_did():
    fired = Outcome("broken", silent=False, trials=2, fired=2, fields=Counter(nfe=1, fid=2))
    quiet = Outcome("sound", silent=True, trials=2)
    assert as_markdown([fired, quiet]).splitlines()[2:] == [
        "| broken | fire | 2 of 2 | fid 2, nfe 1 |",
        "| sound | stay silent | 0 of 2 |  |",
    ]
