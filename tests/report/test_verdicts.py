"""Who is best, and no winner where the measurement cannot tell."""

import re

import numpy as np
import pytest

from samplerbench.report.table import table
from samplerbench.report.verdicts import verdicts
from samplerbench.store.results import load


def test_a_verdict_names_the_best_and_what_ties_and_how_far_the_next_is(tmp_path, write_run, cell):
    rows = [cell("a", 5.0), cell("b", 5.005, jitter="b"), cell("c", 6.0, jitter="c")]
    first, second = verdicts(load(write_run(tmp_path, *rows, cell("a", 4.0, steps=50), cell("b", 4.5, steps=50))))
    best = (
        r"best at 10 NFE: `a` \(FID \(digits-cnn\) 5\.00 ± 0\.2\d\), tied with `b`; next is `c`, 1\.00 ± 0\.0\d+ worse"
    )
    assert re.fullmatch(best, first)
    assert second.startswith("best at 50 NFE: `a` (FID (digits-cnn) 4.00")


def test_one_seed_block_cannot_tell_ties_and_the_verdict_says_so(tmp_path, write_run, cell):
    results = load(write_run(tmp_path, cell("a", 5.0, blocks=1), cell("b", 5.01, blocks=1)))
    claim, remark = verdicts(results)
    assert claim == "at 10 NFE: one seed block does not separate `a` (FID (digits-cnn) 5.32), `b` (5.33)"
    assert remark == "one seed block has no error bars: `--seeds 0-4` measures five"
    assert "rank" not in table(results), "no ranks without error bars"


def test_budgets_with_the_same_verdict_share_a_sentence(tmp_path, write_run, cell):
    rows = [cell("a", 3.0, steps=10), cell("b", 5.0, steps=10)]
    rows += [cell(name, fid, steps=steps) for steps in (20, 40) for name, fid in (("a", 4.0), ("b", 6.0))]
    (claim,) = verdicts(load(write_run(tmp_path, *rows)))
    assert claim.startswith(
        "best at 10, 20 and 40 NFE, reached with 10: `a` (FID (digits-cnn) 3.00 ± 0.28); next is `b`"
    )


@pytest.mark.parametrize(("second", "named"), [(5.5, False), (8.0, True)])
def test_one_seed_block_names_a_winner_beyond_the_spread_of_the_floor_only(second, named, tmp_path, write_run, cell):
    claim, _ = verdicts(load(write_run(tmp_path, cell("a", 5.0, blocks=1), cell("b", second, blocks=1))))
    assert claim.startswith("best at 10 NFE: `a`") == named
    assert ("does not separate" in claim) != named


def test_undecided_budgets_with_the_same_lowest_value_share_a_sentence(tmp_path, write_run, cell):
    rows = [cell(name, fid, steps=10, blocks=1) for name, fid in (("a", 3.0), ("b", 3.1))]
    rows += [cell(name, fid, steps=steps, blocks=1) for steps in (20, 40) for name, fid in (("c", 3.2), ("d", 3.3))]
    claim, _ = verdicts(load(write_run(tmp_path, *rows)))
    assert claim.startswith("at 10, 20 and 40 NFE: one seed block does not separate `a` (FID (digits-cnn) 3.32), `b`")


def test_exact_data_compare_errors_before_distances(tmp_path, write_run, cell):
    """The distances are noise: their order is the opposite one."""
    good = cell("good", 0.02, blocks=1, trajectory_rmse=0.01)
    bad, random = (
        cell("bad", 0.01, blocks=1, trajectory_rmse=0.03),
        cell("sde", 0.015, blocks=1, trajectory_rmse=np.nan),
    )
    error, distance, _ = verdicts(load(write_run(tmp_path, good, bad, random, extractor="pixels")))
    assert error == "best at 10 NFE: `good` (trajectory RMSE 0.0100); next is `bad` (0.0300)"
    assert distance.startswith("at 10 NFE: one seed block does not separate `bad` (Frechet distance")
