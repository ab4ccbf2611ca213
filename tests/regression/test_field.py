"""One field in two runs: which changes fire, and how sure each must be."""

import json

import numpy as np
import pandas as pd
import pytest

from samplerbench.errors import InputError
from samplerbench.metrics.column import Column
from samplerbench.regression.field import compare_field
from samplerbench.regression.rule import RULES, Rule, parse_rule
from samplerbench.statistics import to_six_digits

RECALL = Column("recall", better="higher")


@pytest.fixture
def status(make_frame):
    """The status of a field by its default rule, or by the one given."""

    def find(field: str, before: dict, after: dict, rule: str = "") -> str:
        found = parse_rule(rule, [RECALL]) if rule else next(rule for rule in RULES if rule.field == field)
        rows = (make_frame(row).iloc[0] for row in (before, after))
        return compare_field(found, *rows).status

    return find


def single(make_row, fid: float, **changes) -> dict:
    """A row of one seed block."""
    return make_row(0, fid=fid, scores_per_seed=json.dumps({"fid": [fid]}), **changes)


def test_counted_work_may_not_rise_at_all(status, make_row):
    before = make_row(0)
    assert status("nfe", before, make_row(1, nfe=11)) == "regression"
    assert status("nfe", before, make_row(1, nfe=9)) == "ok"
    assert status("gflops_per_image", before, make_row(1, gflops_per_image=1.0 + 1e-5)) == "regression"


def test_pairing_detects_a_change_that_is_small_beside_the_spread_of_the_blocks(status, make_row):
    assert status("fid", make_row(0), make_row(1, worse=1.1)) == "regression"
    assert status("fid", make_row(0), make_row(1, worse=1.1, noise_seed=1)) == "inconclusive", "other noise, not paired"


def test_no_change_within_wide_bounds_is_inconclusive(status, make_row):
    unchanged = make_row(1, noise_seed=1, fid=make_row(0)["fid"])
    assert status("fid", make_row(0), unchanged) == "inconclusive"
    assert status("fid", make_row(0), unchanged, "fid:1000%") == "ok"


def test_the_bounds_of_a_metric_are_those_of_the_paired_differences(make_row, make_frame):
    before, after = make_frame(make_row(0)).iloc[0], make_frame(make_row(1, worse=1.1)).iloc[0]
    ours, theirs = (np.array(json.loads(row["scores_per_seed"])["fid"]) for row in (before, after))
    error = (theirs - ours).std(ddof=1) / 5**0.5
    change = after["fid"] - before["fid"]
    low, high = (change + sign * 3.7469474 * error for sign in (-1, 1))  # 99 % quantile of t, 4 degrees of freedom
    reason = compare_field(Rule("fid"), before, after).reason
    assert f"worse by {low:.3g} to {high:.3g} (99%)" in reason


def test_one_seed_block_borrows_the_spread_of_its_floor(status, make_row):
    found = [status("fid", single(make_row, 3.0), single(make_row, fid)) for fid in (2.8, 3.1, 5.0)]
    assert found == ["ok", "inconclusive", "regression"]
    unknown = {"fid_floor_sd": np.nan}
    assert status("fid", single(make_row, 3.0, **unknown), single(make_row, 5.0, **unknown)) == "inconclusive"


def test_a_metric_of_a_plug_in_borrows_the_spread_of_its_own_floor(make_frame):
    rule = Rule("sharpness", better="higher", floor_spread="sharpness_floor_sd")
    rows = ({"sharpness": value, "sharpness_floor_sd": 0.1} for value in (5.0, 4.0))
    verdict = compare_field(rule, *(make_frame(row).iloc[0] for row in rows))
    assert verdict.status == "regression"


def test_a_rise_within_the_spread_of_the_floor_is_allowed(status, make_row):
    assert status("fid", make_row(0), make_row(1, worse=1.1)) == "regression"
    assert status("fid", make_row(0, fid_floor_sd=1.0), make_row(1, worse=1.1)) == "ok"


def test_what_should_be_high_fails_by_falling(status, make_row):
    assert status("recall", make_row(0), make_row(1, worse=1.5), "recall:2%") == "regression"
    assert status("recall", make_row(0, worse=1.5), make_row(1), "recall:2%") == "ok"


def test_timings_are_compared_by_their_rounds(status, make_row):
    assert status("inner_ratio", make_row(0), make_row(1, slower=1.2)) == "regression"
    assert status("overhead_ratio", make_row(0), make_row(1, slower=1.2, overhead_per_round="1.2")) == "inconclusive"
    assert status("overhead_ratio", make_row(0), make_row(1, slower=0.8, overhead_per_round="")) == "ok"


def test_a_change_of_the_row_alone_counts(status, make_row):
    """Whoever edits or rounds a CSV changes the value of the row; the spread still comes from the samples."""
    assert status("overhead_ratio", make_row(0), make_row(1, overhead_ratio=1.3)) == "regression"
    assert status("fid", make_row(0), make_row(1, fid=4.0)) == "regression"


@pytest.mark.parametrize(
    ("field", "changes"),
    [("fid", {"scores_per_seed": '{"fid": ["a", "b"]}'}), ("inner_ratio", {"inner_per_round": "1.0 fast"})],
)
def test_samples_that_are_no_numbers_are_refused(status, make_row, field, changes):
    with pytest.raises(InputError, match=f"ddim, 10 steps, uniform, ddpm: the samples of {field} cannot be read"):
        status(field, make_row(0), make_row(1, **changes))


def test_a_value_in_the_place_of_those_of_the_blocks_is_one_block(status, make_row):
    assert status("fid", make_row(0), make_row(0, scores_per_seed='{"fid": 3.0}')) == "inconclusive"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [(("a", "b"), "inconclusive"), (("a", "a"), "regression"), (("", "b"), "regression")],
)
def test_the_overhead_compares_within_a_host_and_the_inner_ratio_anywhere(status, make_row, hosts, expected):
    before, after = make_row(0, host=hosts[0]), make_row(1, slower=1.5, host=hosts[1])
    assert status("overhead_ratio", before, after) == expected
    assert status("inner_ratio", before, after) == "regression"


def rounded(row: dict) -> dict:
    """The row as a baseline holds it."""
    return {name: to_six_digits(value) if isinstance(value, float) else value for name, value in row.items()}


@pytest.mark.parametrize("seed", range(4))
def test_the_same_row_rounded_to_six_digits_is_no_regression_even_without_a_margin(status, make_row, seed):
    row = make_row(seed, nfe=100 / 3, gflops_per_image=0.1234565)
    for field in ("fid", "recall", "nfe", "gflops_per_image", "overhead_ratio", "inner_ratio"):
        for before, after in ((row, rounded(row)), (rounded(row), row)):
            expected = "inconclusive" if "ratio" in field else "ok"  # rounds are not paired
            assert status(field, before, after, f"{field}:0") == expected


def test_differences_of_the_last_digit_in_every_block_are_rounding(status, make_row):
    """As another batch size gives: all blocks differ by the same, so that their differences have no spread."""
    blocks, higher = [8.92415, 8.71209], [8.92416, 8.71210]
    before, after = ({"fid": np.mean(fids), "scores_per_seed": json.dumps({"fid": fids})} for fids in (blocks, higher))
    assert status("fid", make_row(0, **before), make_row(0, **after), "fid:0") == "ok"
    worse = {"fid": 8.819, "scores_per_seed": json.dumps({"fid": [fid + 1e-3 for fid in blocks]})}
    assert status("fid", make_row(0, **before), make_row(0, **worse), "fid:0") == "regression"


@pytest.mark.parametrize("field", ["latency_s", "latency_p95_s", "peak_memory_mb"])
def test_seconds_and_memory_compare_on_the_same_machine_only(status, make_row, field):
    before, rule = make_row(0, **{field: 1.0}), f"{field}:50%"
    assert status(field, before, make_row(1, **{field: 9.0}), rule) == "regression"
    assert status(field, before, make_row(1, **{field: 9.0, "environment": "other"}), rule) == "inconclusive"
    unknown = {"environment": ""}
    assert status(field, before | unknown, make_row(1, **{field: 9.0}) | unknown, rule) == "inconclusive"


def test_a_metric_that_the_new_run_left_out_is_missing(make_row, make_frame):
    before, after = make_frame(make_row(0)).iloc[0], make_frame(make_row(1)).iloc[0].drop("recall")
    verdict = compare_field(Rule("recall", better="higher"), before, after)
    assert (verdict.status, pd.isna(verdict.current)) == ("missing", True)
