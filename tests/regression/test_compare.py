"""Two runs: what fires, what does not, and what cannot be compared."""

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.errors import InputError
from samplerbench.metrics.column import Column
from samplerbench.regression.compare import compare, compare_runs
from samplerbench.regression.rule import merge_rules
from samplerbench.regression.verdicts import exit_code, render
from samplerbench.store.protocol import NotComparable


@pytest.fixture
def fired(make_frame):
    """The fields that fire."""

    def find(before: dict, after: dict, rules=()) -> set[str]:
        verdicts = compare(make_frame(before), make_frame(after), merge_rules(rules))
        return {verdict.field for verdict in verdicts if verdict.status == "regression"}

    return find


def write_run(folder, frame, **facts):
    """A run directory with these facts in run.json."""
    folder.mkdir()
    frame.to_csv(folder / "results.csv", index=False)
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


def test_noise_alone_fires_in_none_of_thirty_trials(fired, make_row):
    assert [fired(make_row(2 * trial), make_row(2 * trial + 1)) for trial in range(30)] == [set()] * 30


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
def test_a_real_change_fires_and_nothing_else_does(fired, make_row, change, field):
    found = [fired(make_row(2 * trial), make_row(2 * trial + 1, **change)) for trial in range(30)]
    assert sum(field in fields for fields in found) >= 29
    assert all(fields <= {field, "overhead_ratio"} for fields in found)


def test_an_improvement_fires_nothing(fired, make_row):
    assert fired(make_row(0), make_row(1, worse=0.8, slower=0.7, nfe=9, gflops_per_image=0.9)) == set()


def test_thresholds_can_be_set(fired, make_row):
    assert fired(make_row(0), make_row(1, worse=1.1), ["fid:20%"]) == set()
    assert fired(make_row(0), make_row(1, worse=1.01), ["fid:0"]) == {"fid"}
    assert fired(make_row(0), make_row(1, slower=1.1), ["overhead_ratio:50%", "inner_ratio:0.01"]) == {"inner_ratio"}


def test_latency_is_shown_without_a_rule_and_compared_by_one(fired, make_row, make_frame):
    before, slow = make_row(0), make_row(1, latency_s=9.0)
    (shown,) = [v for v in compare(make_frame(before), make_frame(slow)) if v.field == "latency_s"]
    assert shown.status == "info"
    assert fired(before, slow) == set()
    assert fired(before, slow, ["latency_s:50%"]) == {"latency_s"}


def test_cells_on_one_side_only_are_named(make_row, make_frame):
    before, after = make_frame(make_row(0), make_row(1, "flow")), make_frame(make_row(2), make_row(3, "pf_ode"))
    verdicts = compare(before, after)
    found = {v.cell.split(",")[0]: v.status for v in verdicts if v.field == ""}
    assert found == {"flow": "missing", "pf_ode": "new"}
    assert exit_code(verdicts, strict=False) == 1


def test_a_cell_that_now_fails_is_a_regression(make_row, make_frame):
    failed = make_row(1, status="failed", error="NotFinite: all of them")
    (verdict,) = compare(make_frame(make_row(0)), make_frame(failed))
    assert verdict.status == "regression"
    assert "NotFinite" in verdict.reason


def test_a_cell_that_failed_in_the_baseline_is_not_compared(make_row, make_frame):
    assert compare(make_frame(make_row(0, status="failed")), make_frame(make_row(1, nfe=99))) == []


def test_different_protocols_are_refused_by_name(make_row, make_frame):
    before, after = make_frame(make_row(0)), make_frame(make_row(1, protocol="q"))
    with pytest.raises(NotComparable, match=r"samples \(1000 and 500\)"):
        compare(before, make_frame(make_row(1, samples=500, protocol="q")))
    with pytest.raises(NotComparable, match="data, the reference or the extractor"):
        compare(before, after)
    facts = [{"dataset": "digits", "extractor_digest": digest} for digest in ("abc", "def")]
    with pytest.raises(NotComparable, match=r"hash of the extractor \(abc and def\)"):
        compare(before, after, facts=facts)


def test_an_empty_run_is_not_comparable(make_row, make_frame):
    for runs in ((make_frame(), make_frame(make_row(0))), (make_frame(make_row(0)), make_frame())):
        with pytest.raises(NotComparable, match="has no rows"):
            compare(*runs)


def test_a_missing_baseline_is_not_comparable_and_a_missing_run_is_an_error(tmp_path, make_row, make_frame):
    run = write_run(tmp_path / "run", make_frame(make_row(0)))
    with pytest.raises(NotComparable, match=r"no baseline at .*: measure one first"):
        compare_runs(tmp_path / "nowhere", run)
    with pytest.raises(InputError, match="There are no results"):
        compare_runs(run, tmp_path / "nowhere")


def test_the_recorded_protocols_name_what_differs(tmp_path, make_row, make_frame):
    runs = [
        write_run(tmp_path / name, make_frame(make_row(0, protocol=name)), quality={"dataset": name}) for name in "pq"
    ]
    with pytest.raises(NotComparable, match=r"dataset \(p and q\)"):
        compare_runs(*runs)


def test_the_sentence_names_cell_metric_and_rule(make_row, make_frame):
    text = render(compare(make_frame(make_row(0)), make_frame(make_row(1, worse=1.2))), "text")
    assert text.startswith("regression   ddim, 10 steps, uniform, ddpm: fid: 3.013 became 3.617: +0.604, worse by")
    assert "fid may rise by 2 % or 0.0224" in text
    assert text.splitlines()[-1] == "1 regression, 4 ok"


def test_a_metric_that_is_not_installed_is_compared_as_the_runs_recorded_it(tmp_path, make_row, make_frame):
    column = Column("sharpness", "sharpness", "higher").to_json()
    runs = []
    for name, values in (("before", [5.0, 5.2, 5.1]), ("after", [4.0, 4.2, 4.11])):
        row = make_row(0, sharpness=sum(values) / 3, scores_per_seed=json.dumps({"sharpness": values}))
        runs.append(write_run(tmp_path / name, make_frame(row), columns=[column] * (name == "after")))
    (verdict,) = [v for v in compare_runs(*runs, ["sharpness:5%"]) if v.field == "sharpness"]
    assert verdict.status == "regression"
    assert verdict.reason.endswith("sharpness may fall by 5 %")


def test_comparing_two_files_imports_neither_torch_nor_scipy_stats(tmp_path, make_row, make_frame):
    """They take seconds, most of what the command would."""
    make_frame(make_row(0)).to_csv(tmp_path / "good.csv", index=False)
    make_frame(make_row(1, worse=1.2)).to_csv(tmp_path / "bad.csv", index=False)
    code = (
        "import sys; from pathlib import Path; from samplerbench.regression.compare import compare_runs\n"
        "found = compare_runs(Path('good.csv'), Path('bad.csv'), ['fid:3%', 'inner_ratio:20%'])\n"
        "print(found[0].status, [name for name in ('torch', 'torch_fidelity', 'scipy.stats') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert result.stdout == "ok []\n", result.stderr


def test_the_command_exits_with_the_documented_codes(tmp_path, make_row, make_frame):
    def run(*arguments):
        return CliRunner().invoke(main, ["compare", *map(str, arguments)])

    good, bad, other = (tmp_path / f"{name}.csv" for name in ("good", "bad", "other"))
    make_frame(make_row(0)).to_csv(good, index=False)
    make_frame(make_row(1, worse=1.2)).to_csv(bad, index=False)
    make_frame(make_row(1, protocol="q")).to_csv(other, index=False)
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
