"""The gate: what fires, what does not, and what it refuses to judge."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.errors import InputError
from samplerbench.regression.compare import NotComparable, compare, exit_code, merge_rules
from samplerbench.regression.verdicts import render
from samplerbench.store.run_directory import COLUMNS, joined, read_results, typed

RNG = np.random.default_rng


def cell(
    seed: int, method: str = "ddim", worse: float = 1.0, slower: float = 1.0, noise_seed: int = 0, **changes
) -> dict:
    """A row as a run would write it: FIDs that share their seed blocks' noise, rounds that share nothing."""
    blocks = 3.0 + 0.3 * RNG(noise_seed).standard_normal(5)
    fids = worse * blocks + 0.01 * RNG(seed).standard_normal(5)
    recall = 0.8 - 0.1 * (worse - 1) + 0.002 * RNG(seed).standard_normal(5)
    overhead = slower * (1.0 + 0.03 * RNG(seed + 1000).standard_normal(8))
    inner = slower * (1.0 + 0.002 * RNG(seed + 2000).standard_normal(8))
    latency = slower * (1.0 + 0.5 * RNG(seed + 3000).random(8))
    row = {
        "method": method, "recipe": "ddpm", "dataset": "digits", "resolution": 8, "grid": "uniform", "steps": 10,
        "nfe": 10, "gflops_per_image": 1.0, "seeds": "0,1,2,3,4", "samples": 1000, "fid": fids.mean(),
        "recall": recall.mean(), "scores_per_seed": json.dumps({"fid": fids.tolist(), "recall": recall.tolist()}),
        "overhead_ratio": np.median(overhead), "overhead_per_round": joined(overhead), "fid_floor_sd": 0.05,
        "inner_ratio": np.median(inner), "inner_per_round": joined(inner), "latency_s": np.median(latency),
        "latency_per_round": joined(latency), "dtype": "float32", "batch_size": 256, "compiled": "false",
        "status": "ok", "protocol": "p", "cell": f"{seed}", "environment": "e",
    }  # fmt: skip
    return row | changes


def single(fid: float, **changes) -> dict:
    """A row of one seed block."""
    return cell(0, fid=fid, scores_per_seed=json.dumps({"fid": [fid]}), **changes)


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
        ({"slower": 1.2}, "inner_ratio"),
        ({"nfe": 11}, "nfe"),
        ({"gflops_per_image": 1.1}, "gflops_per_image"),
    ],
    ids=str,
)
def test_a_real_change_fires_and_nothing_else_does(change, field):
    found = [fired(cell(2 * trial), cell(2 * trial + 1, **change)) for trial in range(30)]
    assert sum(field in fields for fields in found) >= 29
    assert all(fields <= {field, "overhead_ratio"} for fields in found)


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
    assert fired(cell(0), cell(1, slower=1.1), ["overhead_ratio:50%", "inner_ratio:0.01"]) == {"inner_ratio"}


@pytest.mark.parametrize("text", ["fid", "fid:", "fid:x%", "fid:-1", "fid:2%%", ":2%"])
def test_a_threshold_that_does_not_parse_is_refused(text):
    with pytest.raises(InputError, match="FIELD:THRESHOLD"):
        merge_rules([text])


def test_a_field_that_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match="Did you mean 'fid'"):
        merge_rules(["fidd:2%"])


def test_one_seed_block_borrows_the_spread_of_its_floor():
    def status(fid: float, **changes) -> str:
        verdicts = compare(frame(single(3.0, **changes)), frame(single(fid, **changes)))
        return next(v.status for v in verdicts if v.field == "fid")

    assert [status(fid) for fid in (2.8, 3.1, 5.0)] == ["ok", "inconclusive", "regression"]
    assert status(5.0, fid_floor_sd=np.nan) == "inconclusive", "nothing is known of the spread"
    uncertain = compare(frame(single(3.0)), frame(single(3.1)))
    assert (exit_code(uncertain, strict=False), exit_code(uncertain, strict=True)) == (0, 4)


def test_a_rise_within_the_spread_of_the_floor_is_none():
    assert fired(cell(0), cell(1, worse=1.1)) == {"fid"}
    assert fired(cell(0, fid_floor_sd=1.0), cell(1, worse=1.1)) == set()


def test_what_should_be_high_fails_by_falling():
    assert fired(cell(0), cell(1, worse=1.5), ["fid:60%", "recall:2%"]) == {"recall"}
    assert fired(cell(0, worse=1.5), cell(1), ["recall:2%"]) == set()


def test_seconds_are_shown_and_judged_only_by_a_rule_on_the_same_machine():
    slow, elsewhere = cell(1, latency_s=9.0), cell(1, latency_s=9.0, environment="other")
    (shown,) = [v for v in compare(frame(cell(0)), frame(slow)) if v.field == "latency_s"]
    assert shown.status == "info"
    assert fired(cell(0), slow, ["latency_s:50%"]) == {"latency_s"}
    assert fired(cell(0), elsewhere, ["latency_s:50%"]) == set()


def test_a_figure_changed_in_the_row_alone_is_believed():
    """Whoever edits or rounds a CSV changes the mean; the spread still comes from the samples."""
    assert fired(cell(0), cell(1, overhead_ratio=1.3)) == {"overhead_ratio"}
    assert fired(cell(0), cell(1, fid=4.0)) == {"fid"}


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
    facts = [{"dataset": "digits", "extractor_digest": digest} for digest in ("abc", "def")]
    with pytest.raises(NotComparable, match=r"hash of the extractor \(abc and def\)"):
        compare(frame(cell(0)), frame(cell(1, protocol="q")), facts=facts)


def test_an_empty_run_is_not_comparable():
    for runs in ((frame(), frame(cell(0))), (frame(cell(0)), frame())):
        with pytest.raises(NotComparable, match="has no rows"):
            compare(*runs)


def test_the_sentence_names_cell_figure_and_rule():
    text = render(compare(frame(cell(0)), frame(cell(1, worse=1.2))), "text")
    assert text.startswith("regression   ddim, 10 steps, uniform, ddpm: fid: 3.013 became 3.617: +0.604, worse by")
    assert "fid may rise by 2 % or 0.0224" in text
    assert text.splitlines()[-1] == "1 regression, 4 ok"


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
    for form in ("json", "markdown", "junit"):
        assert "regression" in run(good, bad, "--format", form).output
    for mistake in ((good,), (good, good, "--against", "HEAD"), (good, good, "--run", "--steps 5"), (good, good, good)):
        assert run(*mistake).exit_code == 2


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
