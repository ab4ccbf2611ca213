"""Ranks, ties, budgets and Pareto fronts; and methods that get worse with more evaluations."""

import json

import numpy as np
import pandas as pd

from samplerbench.report.ranking import budgets, decidable, nfe_groups, pareto, rank_texts, ranked, regressions_in_nfe
from samplerbench.store.columns import typed
from samplerbench.store.results import load


def test_no_point_of_the_front_is_beaten_in_both():
    cost, value = [1, 2, 2, 3, 4, 4, 5, 6], [9, 7, 8, 7, 5, 5, 6, np.nan]
    assert pareto(cost, value).tolist() == [True, True, False, False, True, True, False, False]


def test_ranks_and_ties_come_from_paired_differences(tmp_path, write_run, cell):
    """The blocks spread by 0.2, which would hide a difference of 0.1; on the same noise it is plain."""
    rows = cell("a", 5.0), cell("b", 5.005, jitter="b"), cell("c", 5.1, jitter="c"), cell("d", 7.0)
    group = load(write_run(tmp_path, *rows))
    (budget,) = budgets(group.scored)
    assert [rank.row["name"] for rank in budget.ranks] == ["a", "b", "c", "d"]
    assert [rank.tied for rank in budget.ranks] == [True, True, False, False]
    assert rank_texts(group.scored).tolist() == ["1–2", "1–2", "3", "4"]


def test_without_seed_blocks_nothing_is_ranked(tmp_path, write_run, cell):
    group = load(write_run(tmp_path, cell("a", 5.0, blocks=1), cell("b", 9.0, blocks=1)))
    assert rank_texts(group.scored).tolist() == ["", ""]
    assert not decidable(ranked(group.scored))
    assert [rank.tied for rank in ranked(group.scored)] == [True, True], "one block does not tell 5 from 9"


def test_a_budget_is_shared_and_a_cheaper_row_may_win_it(tmp_path, write_run, cell):
    """Heun's 19 belong with the others' 20; 60 is one method's alone, and no verdict is given there."""
    heun = [cell("heun", 3.5, steps=10, nfe=19), cell("heun", 3.2, steps=30, nfe=60)]
    rows = [*heun, cell("a", 6.0), cell("b", 5.0), cell("a", 4.0, steps=20), cell("b", 3.9, steps=20)]
    scored = load(write_run(tmp_path, *rows)).scored
    found = budgets(scored)
    assert [budget.nfe for budget in found] == [10, 20]
    assert found[1].ranks[0].row["name"] == "heun"
    assert [sorted(set(group["nfe"])) for group in nfe_groups(scored)] == [[10], [19, 20], [60]]


def test_a_row_is_marked_if_fewer_evaluations_are_significantly_better(tmp_path, write_run, cell):
    falls = [cell("solver", fid, steps=steps) for steps, fid in ((1, 9.0), (2, 7.0), (4, 5.0))]
    falls.append(cell("solver", 5.005, steps=8, jitter="b"))
    rises = [cell("student", fid, steps=steps, jitter="b") for steps, fid in ((1, 6.0), (2, 5.0), (4, 5.5), (8, 4.0))]
    scored = load(write_run(tmp_path, *falls, *rises)).scored
    assert regressions_in_nfe(scored).dropna().to_dict() == {6: 2}, "the common 0.2 cancels, 0.005 is noise"


def test_with_one_block_only_a_clear_rise_is_marked(tmp_path, write_run, cell):
    """The floor of 3.0 has a deviation of 0.21, which makes 0.37 of a FID of 9.5, and 4 x 0.37 = 1.5."""
    curve = [cell("a", fid, steps=steps, blocks=1) for steps, fid in ((1, 8.0), (2, 9.2), (4, 9.8), (8, 2.0))]
    assert regressions_in_nfe(load(write_run(tmp_path / "a", *curve)).scored).dropna().to_dict() == {2: 1}
    unknown = [row | {"fid_floor_sd": np.nan} for row in curve]
    scored = load(write_run(tmp_path / "b", *unknown)).scored
    assert regressions_in_nfe(scored).isna().all(), "its noise is unknown"
    assert regressions_in_nfe(scored.drop(columns="fid_floor_sd")).isna().all()


def test_noise_is_hardly_ever_marked(cell):
    """Fifty methods whose FID is the same at five step counts, up to noise that does not cancel in pairs."""
    noise = np.random.default_rng(0).normal(5.0, 0.2, (50, 5, 5))
    rows = [
        cell(f"m{m}", 5.0, steps=2**n) | {"fid": values.mean(), "scores_per_seed": json.dumps({"fid": values.tolist()})}
        for m, curve in enumerate(noise)
        for n, values in enumerate(curve)
    ]
    frame = typed(pd.DataFrame(rows)).assign(run="")
    assert regressions_in_nfe(frame).notna().sum() <= 10, "2.5 % of 200 rows with something to compare"
    single = frame.assign(fid=noise[:, :, 0].ravel(), scores_per_seed="")
    assert regressions_in_nfe(single).notna().sum() <= 5


def test_only_rows_of_one_method_are_compared(tmp_path, write_run, cell):
    """Another grid, guidance or recipe is another method; a student for each step count is one."""
    others = {"options": "eta=1.0", "grid": "logsnr", "guidance": "2", "recipe": "flow"}
    rows = [cell("a", 4.0, steps=2), *(cell("a", 9.0, steps=4, cell=k, **{k: other}) for k, other in others.items())]
    assert regressions_in_nfe(load(write_run(tmp_path / "a", *rows)).scored).isna().all()
    each = [
        cell("progressive", fid, steps=steps, recipe=f"progressive[steps={steps}]", own_grid="true")
        for steps, fid in ((1, 9.0), (2, 5.0), (4, 6.0))
    ]
    scored = load(write_run(tmp_path / "b", *each)).scored
    assert regressions_in_nfe(scored).dropna().to_dict() == {2: 2}
    grids = scored.assign(grid=["uniform", "leading", "trailing"])
    assert regressions_in_nfe(grids).dropna().to_dict() == {2: 2}, "the default grid is one policy, whatever its name"
    assert regressions_in_nfe(grids.assign(own_grid="")).isna().all()
    two = [cell("cd", 5.0 + steps, steps=steps, recipe=f"cd[loss={x}]") for x in "ab" for steps in (1, 2)]
    assert regressions_in_nfe(load(write_run(tmp_path / "c", *two)).scored).dropna().to_dict() == {1: 1, 3: 1}
