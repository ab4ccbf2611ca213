"""The table of a report: its rows, its columns, and where they come from."""

import re

import numpy as np

from samplerbench.metrics.column import Column
from samplerbench.regression.compare import compare
from samplerbench.report.latex import latex
from samplerbench.report.ranking import rank_texts
from samplerbench.report.table import table
from samplerbench.report.text import reading
from samplerbench.report.verdicts import verdicts
from samplerbench.store.results import load


def test_floor_ceiling_failures_and_noise_are_rows_of_every_table(tmp_path, write_run, cell, failed, bench_report):
    reason = "RuntimeError: " + "a very long story " * 20 + "(x.py:3)"
    write_run(tmp_path, cell("a", 5.0, noisy="true"), cell("b", 6.0), failed("broken", reason))
    result = bench_report(tmp_path)
    assert result.exit_code == 0
    assert "best at 10 NFE: a (FID (digits-cnn) 5.00" in result.output
    text, html = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert re.match(r"\| real images .* 3.00 ± 0.21 ", lines[1])
    assert re.match(r"\| noise .* 311 ", lines[-1])
    assert "1.010 (noisy)" in lines[2]
    (broken,) = [line for line in lines if line.startswith("| broken")]
    assert "failed: RuntimeError" in broken
    assert len(broken) == len(lines[0]) < 300, "the reason does not stretch the table"
    assert reason in text, "it follows below in full"
    assert "<tr class='failed' data-name='broken'><td class='left'>broken</td>" in html
    assert ">311<" in html


def test_a_new_metric_needs_no_edit_to_appear_everywhere(tmp_path, write_run, cell, metric_columns, bench_report):
    sharpness = Column(
        "sharpness", "sharpness", "higher", "{:.1f} px", "**{label}**: of {samples} images, in {feet}.",
        spread="sharpness_se", floor="sharpness_real", floor_spread="sharpness_sd", ceiling="sharpness_noise",
        extractor=True, wide=True,
    )  # fmt: skip
    scores = {"sharpness": 2.0, "sharpness_se": 0.5, "sharpness_real": 9.0, "sharpness_sd": 0.1, "sharpness_noise": 0.0}
    rows = cell("a", 5.0, **scores), cell("b", 6.0, **scores | {"sharpness": np.nan})
    results = load(write_run(tmp_path, *rows, columns=[*metric_columns, sharpness]))
    shown = table(results)
    assert shown["sharpness (digits-cnn)"].tolist() == ["9.0 px ± 0.10", "2.0 px ± 0.50", "", "0.0 px"]
    assert "sharpness (digits-cnn)" in shown.attrs["wide"]
    meaning = "**sharpness (digits-cnn)**: of 1000 images, in {feet}."
    assert meaning in reading(results, shown), "an unknown name in braces is left alone"
    assert bench_report(tmp_path).exit_code == 0
    assert meaning in (tmp_path / "report.md").read_text()
    assert "of 1000 images, in {feet}" in (tmp_path / "report.html").read_text()
    assert "sharpness (digits-cnn)" in latex(results)


def test_a_spread_over_blocks_is_a_t_interval(tmp_path, write_run, cell, metric_columns):
    accuracy = Column("accuracy", "accuracy", format="{:.3f}", spread="blocks")
    scores = '{"fid": [5, 5, 5], "accuracy": [0.9, 0.8, 0.7]}'
    rows = cell("a", 5.0, blocks=3, accuracy=0.8, scores_per_seed=scores), cell("b", 5.0, blocks=1, accuracy=0.7)
    shown = table(load(write_run(tmp_path, *rows, columns=[*metric_columns, accuracy])))
    assert shown.loc[[0, 1], "accuracy"].tolist() == ["0.800 ± 0.25", "0.700"], "4.303 * 0.1 / sqrt(3)"


def test_columns_come_in_a_fixed_order(tmp_path, write_run, cell, metric_columns):
    rows = [cell("a", fid, steps=steps, trajectory_rmse=0.1, order=2.013, order_declared=2.0, teacher="flow")
            for steps, fid in ((2, 5.0), (4, 6.0))]  # fmt: skip
    shown = table(load(write_run(tmp_path, *rows)))
    expected = "method|recipe|grid|steps|NFE|FID (digits-cnn)|worse than at|Pareto|x floor|trajectory RMSE|order|"
    expected += "declared order|teacher|latency (s)|images/s|overhead"
    assert [*shown] == expected.split("|"), "without ranks, since no rows share a budget"
    assert shown.loc[0, ["order", "declared order", "x floor"]].tolist() == ["2.01", "2", "1.67"]


def test_fid_is_never_plain_unless_it_is_inceptions(tmp_path, write_run, cell):
    ours = write_run(tmp_path / "ours", cell("a", 5.0), cell("b", 6.0))
    theirs = write_run(tmp_path / "theirs", cell("a", 5.0), cell("b", 6.0), extractor="inception-v3-compat")
    exact = write_run(tmp_path / "exact", cell("a", 5.0), cell("b", 6.0), extractor="pixels")
    assert "FID (digits-cnn)" in table(load(ours))
    assert "FID" not in table(load(ours))
    assert "FID" in table(load(theirs))
    assert "Frechet distance" in table(load(exact))
    assert not re.search(r"FID(?! \(digits-cnn\)|∞)", latex(load(ours)))


def test_grids_of_one_method_are_told_apart_wherever_rows_are_named(tmp_path, write_run, cell):
    own = {"grid": "uniform", "own_grid": "true"}
    rows = [cell("a", 5.0, **own), cell("a", 4.0, jitter="b", grid="logsnr", own_grid="false", cell="x")]
    results = load(write_run(tmp_path, *rows, cell("b", 6.0, jitter="c", grid="logsnr", own_grid="true")))
    assert results.rows["name"].tolist() == ["a, uniform (default)", "a, logsnr", "b"]
    assert [c for c in table(results)["grid"] if c] == ["uniform (default)", "logsnr", "logsnr (default)"]
    assert verdicts(results)[0].startswith("best at 10 NFE: `a, logsnr` (")
    assert rank_texts(results.scored).tolist() == ["2", "1", "3"]
    assert "(default)" in reading(results, [])[1]
    judged = compare(results.rows, results.rows)
    assert {verdict.cell for verdict in judged} == {"a, 10 steps, uniform, ddpm", "a, 10 steps, logsnr, ddpm",
                                                    "b, 10 steps, logsnr, ddpm"}  # fmt: skip


def test_rows_on_one_grid_are_not_marked(tmp_path, write_run, cell):
    results = load(write_run(tmp_path, cell("a", 5.0, own_grid="true"), cell("b", 6.0, own_grid="false")))
    assert [c for c in table(results)["grid"] if c] == ["uniform", "uniform"]
    assert not any("(default)" in line for line in reading(results, []))


def test_rows_skipped_beside_measured_ones_are_folded_away(tmp_path, write_run, cell):
    skipped = [cell("a", np.nan, steps=steps, status="skipped", error="one step only") for steps in (2, 4)]
    never = cell("b", np.nan, status="skipped", error="no network")
    shown = table(load(write_run(tmp_path, cell("a", 5.0, steps=1), *skipped, never)))
    assert shown["method"].tolist() == ["real images", "a", "b", "noise"]
    assert [row["steps"] for row in shown.attrs["left_out"]] == ["2", "4"]


def test_time_has_a_front_for_each_machine(tmp_path, write_run, cell):
    alike = [cell("a", 5.0, latency_s=1.0, environment="e1"), cell("b", 6.0, latency_s=2.0, environment="e2")]
    shown = table(load(write_run(tmp_path, *alike)))
    assert shown.loc[[0, 1], "Pareto"].tolist() == ["both", "time"]


def test_a_row_that_gets_worse_with_more_evaluations_is_marked(tmp_path, write_run, cell):
    rises = [cell("a", fid, steps=steps) for steps, fid in ((1, 6.0), (2, 5.0), (4, 5.5))]
    results = load(write_run(tmp_path / "a", *rises))
    shown = table(results)
    assert shown.loc[shown["worse than at"] != "", "worse than at"].to_dict() == {2: "2 NFE"}
    assert any("more evaluations make it worse" in line for line in reading(results, shown))
    results = load(write_run(tmp_path / "b", *(cell("a", 9.0 - steps, steps=steps) for steps in (1, 2, 4))))
    assert "worse than at" not in table(results)
    assert not any("worse" in line for line in reading(results, table(results)))
