"""The LaTeX table."""

import re

import numpy as np

from samplerbench.report.latex import latex
from samplerbench.store.results import load


def test_latex_is_balanced_escaped_and_bold_where_it_ties(tmp_path, write_run, cell, failed, bench_report):
    tied = cell("pf_ode", 5.0), cell("b", 5.005, jitter="b", options="x=50%")
    rows = *tied, cell("c", 6.0), failed("broken", "no & #")
    result = bench_report(write_run(tmp_path, *rows), "--format", "latex")
    assert result.exit_code == 0
    text = result.output
    assert not (tmp_path / "report.md").exists(), "it only prints"
    comments = [line for line in text.splitlines() if line.startswith("%")]
    assert any("Protocol p:" in line and "samplerbench 0.1.0" in line for line in comments)
    body = [line for line in text.splitlines() if not line.startswith("%")][1:-1]  # without the group around it
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", body[0])
    rows = [line for line in body if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    assert body[-1] == r"\end{tabular}"
    assert text.count("{") == text.count("}")
    assert not re.search(r"(?<!\\)[_#%±]", "\n".join(body))
    assert text.count("$") == 2 * text.count(r"$\pm$")
    bold = [line.split(" & ")[0] for line in rows if r"\textbf" in line]
    assert bold == [r"pf\_ode", r"b[x=50\%]"]
    assert any(line.startswith("broken & ") and "failed" in line for line in rows)


def test_skipped_rows_that_the_table_folds_away_are_comments(tmp_path, write_run, cell):
    skipped = [
        cell("a", np.nan, steps=2, nfe=np.nan, recipe="other", status="skipped", error="it takes 1 step only"),
        cell("a", np.nan, steps=4, status="skipped", error="it takes 1 step only"),
    ]
    never = cell("c", np.nan, nfe=np.nan, status="skipped", error="no network")
    text = latex(load(write_run(tmp_path, cell("a", 5.0, steps=1), cell("b", 6.0), *skipped, never)))
    rows = [line.split(" & ")[0] for line in text.splitlines() if line.endswith(r"\\")]
    assert rows == ["method", "real images", "a", "b", "c", "noise"]
    assert "% recipe of all rows: ddpm\n" in text, "of those that are shown"
    assert "% Not measured: a, 2 and 4 steps: skipped: it takes 1 step only\n" in text


def test_bold_agrees_with_the_verdicts(tmp_path, write_run, cell):
    """In one block, what its spread does not separate is bold; what a cheaper row beats is not."""
    cheap = cell("a", 5.0, steps=5, blocks=1), cell("b", 5.001, steps=5, blocks=1), cell("c", 9.0, steps=5, blocks=1)
    text = latex(
        load(write_run(tmp_path, *cheap, cell("d", 8.0, steps=9, blocks=1), cell("e", 4.0, steps=9, blocks=1)))
    )
    assert [line.split(" & ")[0] for line in text.splitlines() if r"\textbf" in line] == ["a", "b", "e"]
    assert "in one seed block" in text


def test_columns_are_chosen_or_fit_the_page_and_many_rows_break_over_pages(tmp_path, write_run, cell, bench_report):
    wide = [cell(f"a_rather_long_method_{i}", 5.0 + i, teacher_nfe=7, novelty=0.5) for i in range(60)]
    run = write_run(tmp_path, *wide)
    text = latex(load(run))
    assert r"\begin{longtable}" in text
    assert r"\endhead" in text
    (dropped,) = re.findall(r"% Left out for want of width \(--columns\): (.*)", text)
    assert "overhead" in dropped
    result = bench_report(run, "--format", "latex", "--columns", "method,nfe,FID,overhead")
    assert [line for line in result.output.splitlines() if line.startswith("method")] == [
        r"method & NFE & FID (digits-cnn) & overhead \\"
    ]
    heading = " ".join(bench_report(run, "--columns", "nfe,fid").output.splitlines()[:2])
    assert sorted(heading.split()) == ["(digits-cnn)", "FID", "NFE"]
    wrong = bench_report(run, "--columns", "fdi")
    assert wrong.exit_code == 2
    assert "The table has no column 'fdi'. Did you mean 'fid'?" in wrong.output


def test_a_run_without_rows_is_a_comment(tmp_path, write_run):
    assert latex(load(write_run(tmp_path))) == "% Nothing has been measured yet.\n"
