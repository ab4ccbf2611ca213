"""The gate: what fires, what does not, and what it refuses to judge."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from bench.cli import main
from bench.compare import NotComparable, compare, exit_code, merge_rules, render
from bench.errors import InputError
from bench.store import COLUMNS, joined, read_results, typed

RNG = np.random.default_rng


def cell(
    seed: int, method: str = "ddim", worse: float = 1.0, slower: float = 1.0, noise_seed: int = 0, **changes
) -> dict:
    """A row as a run would write it: FIDs that share their seed blocks' noise, rounds that share nothing."""
    blocks = 3.0 + 0.3 * RNG(noise_seed).standard_normal(5)
    fids = worse * blocks + 0.01 * RNG(seed).standard_normal(5)
    rounds = slower * (1.0 + 0.02 * RNG(seed + 1000).standard_normal(5))
    row = {
        "method": method, "recipe": "ddpm", "dataset": "digits", "resolution": 8, "grid": "uniform", "steps": 10,
        "nfe": 10, "gflops_per_image": 1.0, "seeds": "0,1,2,3,4", "samples": 1000, "fid": fids.mean(),
        "fid_per_seed": joined(fids), "overhead_ratio": np.median(rounds), "overhead_per_round": joined(rounds),
        "dtype": "float32", "batch_size": 256, "compiled": "false", "status": "ok", "protocol": "p", "cell": f"{seed}",
    }  # fmt: skip
    return row | changes


def frame(*rows: dict) -> pd.DataFrame:
    return typed(pd.DataFrame(list(rows)).reindex(columns=COLUMNS))


def fired(before: dict, after: dict, rules=()) -> set[str]:
    return {v.field for v in compare(frame(before), frame(after), merge_rules(rules)) if v.status == "regression"}


def test_noise_alone_fires_in_none_of_thirty_trials():
    assert [fired(cell(2 * trial), cell(2 * trial + 1)) for trial in range(30)] == [set()] * 30


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"worse": 1.1}, "fid"),
        ({"slower": 1.25}, "overhead_ratio"),
        ({"nfe": 11}, "nfe"),
        ({"gflops_per_image": 1.1}, "gflops_per_image"),
    ],
    ids=str,
)
def test_a_real_change_fires_and_nothing_else_does(change, field):
    found = [fired(cell(2 * trial), cell(2 * trial + 1, **change)) for trial in range(30)]
    assert found.count({field}) >= 29


def test_an_improvement_fires_nothing():
    assert fired(cell(0), cell(1, worse=0.8, slower=0.7, nfe=9, gflops_per_image=0.9)) == set()


def test_the_pairing_sees_what_the_spread_of_the_blocks_would_hide():
    """Other noise, and the same 10 % are lost among blocks that differ by as much."""
    paired, unpaired = cell(1, worse=1.1), cell(1, worse=1.1, noise_seed=1)
    assert "fid" in fired(cell(0), paired)
    assert "fid" not in fired(cell(0), unpaired)


def test_thresholds_can_be_set():
    assert fired(cell(0), cell(1, worse=1.1), ["fid:20%"]) == set()
    assert fired(cell(0), cell(1, worse=1.01), ["fid:0"]) == {"fid"}
    assert fired(cell(0), cell(1, slower=1.1), ["overhead_ratio:0.01"]) == {"overhead_ratio"}


@pytest.mark.parametrize("text", ["fid", "fid:", "fid:x%", "fid:-1", "fid:2%%", ":2%"])
def test_a_threshold_that_does_not_parse_is_refused(text):
    with pytest.raises(InputError, match="FIELD:THRESHOLD"):
        merge_rules([text])


def test_a_field_that_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match="Did you mean 'fid'"):
        merge_rules(["fidd:2%"])


def test_one_seed_block_has_no_spread_and_only_a_rise_is_in_doubt():
    single = {"fid_per_seed": "3.0", "fid": 3.0}
    (better,) = [
        v for v in compare(frame(cell(0, **single)), frame(cell(1, fid_per_seed="2.9", fid=2.9))) if v.field == "fid"
    ]
    (worse,) = [
        v for v in compare(frame(cell(0, **single)), frame(cell(1, fid_per_seed="3.5", fid=3.5))) if v.field == "fid"
    ]
    assert (better.status, worse.status) == ("ok", "inconclusive")
    assert (exit_code([worse], strict=False), exit_code([worse], strict=True)) == (0, 4)


def test_cells_on_one_side_only_are_named():
    verdicts = compare(frame(cell(0), cell(1, "flow")), frame(cell(2), cell(3, "pf_ode")))
    found = {v.cell.split(",")[0]: v.status for v in verdicts if v.field == ""}
    assert found == {"flow": "missing", "pf_ode": "new"}
    assert exit_code(verdicts, strict=False) == 1


def test_a_cell_that_now_fails_is_a_regression():
    (verdict,) = compare(frame(cell(0)), frame(cell(1, status="failed", error="NotFinite: all of them")))
    assert verdict.status == "regression"
    assert "NotFinite" in verdict.reason


def test_protocols_that_differ_are_refused_with_what_differs():
    with pytest.raises(NotComparable, match=r"samples \(1000 and 500\)"):
        compare(frame(cell(0)), frame(cell(1, samples=500, protocol="q")))
    with pytest.raises(NotComparable, match="data, the reference or the extractor"):
        compare(frame(cell(0)), frame(cell(1, protocol="q")))


def test_the_sentence_names_cell_figure_and_rule():
    text = render(compare(frame(cell(0)), frame(cell(1, worse=1.2))), "text")
    assert text.startswith("regression   ddim, 10 steps, uniform, ddpm: fid: rise")
    assert "fid may rise by 0.02 of the baseline" in text
    assert text.splitlines()[-1] == "1 regression, 3 ok"


def test_the_command_reads_csv_and_says_it_by_its_exit_code(tmp_path):
    def run(*arguments: str):
        return CliRunner().invoke(main, ["compare", *map(str, arguments)])

    good, bad, other = (tmp_path / f"{name}.csv" for name in ("good", "bad", "other"))
    frame(cell(0)).to_csv(good, index=False)
    frame(cell(1, worse=1.2)).to_csv(bad, index=False)
    frame(cell(1, protocol="q")).to_csv(other, index=False)
    (tmp_path / "foreign.csv").write_text("a,b\n1,2\n")

    assert run(good, good).exit_code == 0
    assert run(good, bad).exit_code == 1
    assert run(good, other).exit_code == 3
    assert run(tmp_path / "nowhere", good).exit_code == 3
    assert run(good, tmp_path / "foreign.csv").exit_code == 2
    assert run(good, bad, "--fail-on", "fid").exit_code == 2
    assert json.loads(run(good, bad, "--format", "json").output)[0]["status"] == "regression"
    assert "| ddim, 10 steps, uniform, ddpm | fid" in run(good, bad, "--format", "markdown").output


def test_a_baseline_reads_like_a_lock_file(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    frame(cell(1, "flow", utc="now", commit="abc"), cell(0)).to_csv(run / "results.csv", index=False)
    arguments = ["baseline", "update", str(run), "--output", str(tmp_path / "baseline"), "--reason"]
    assert CliRunner().invoke(main, [*arguments, "first"]).exit_code == 0
    first = (tmp_path / "baseline/results.csv").read_text()
    assert [line.split(",")[0] for line in first.splitlines()] == ["method", "ddim", "flow"]
    assert "abc" not in first
    frame(cell(0), cell(1, "flow", utc="later")).to_csv(run / "results.csv", index=False)
    assert CliRunner().invoke(main, [*arguments, "again"]).exit_code == 0
    assert (tmp_path / "baseline/results.csv").read_text() == first
    assert (tmp_path / "baseline/REASONS.md").read_text().count("\n- ") == 1
    assert compare(read_results(tmp_path / "baseline"), frame(cell(0), cell(1, "flow")))[0].status == "ok"

    frame(cell(0, status="failed")).to_csv(run / "results.csv", index=False)
    refused = CliRunner().invoke(main, [*arguments, "bad"])
    assert refused.exit_code == 2
    assert "cannot become the baseline: ddim failed" in refused.output
