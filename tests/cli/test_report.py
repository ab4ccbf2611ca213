import json

import pandas as pd
import pytest


@pytest.fixture
def run(tmp_path, write_run, cell):
    return write_run(tmp_path / "run", cell("a", 5.0), cell("b", 6.0, jitter="b"))


def test_text_writes_the_report_and_prints_the_table(invoke, run):
    result = invoke("report", run)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"Report: {run / 'report.md'}, {run / 'report.html'}"
    assert "5.00 ± 0.28" in result.stdout
    assert (run / "report.html").exists()


def test_html_writes_the_report_and_prints_its_name_alone(invoke, run):
    assert invoke("report", run, "--format", "html").stdout == f"{run / 'report.html'}\n"
    assert (run / "report.html").exists()


@pytest.mark.parametrize(("form", "start"), [("markdown", "| method"), ("latex", "% ")])
def test_tables_are_printed_and_nothing_is_written(form, start, invoke, run):
    before = sorted(run.rglob("*"))
    result = invoke("report", run, "--format", form)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(start)
    assert "5.00" in result.stdout
    assert sorted(run.rglob("*")) == before


def test_several_runs_go_into_a_folder_of_their_own(invoke, run, tmp_path, write_run, cell):
    more = write_run(tmp_path / "more", cell("c", 7.0, jitter="c"))
    other = write_run(tmp_path / "other", cell("d", 8.0, protocol="q"))
    assert invoke("report", run, more, "--output", "both").exit_code == 0
    assert (tmp_path / "both" / "report.md").exists()
    assert invoke("report", run, other, "--output", "mixed").exit_code == 3
    assert invoke("report", run, other, "--output", "mixed", "--mixed").exit_code == 0


def test_a_report_that_cannot_be_written_is_one_sentence(invoke, run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("samplerbench.report.render_matplotlib.save", full)
    result = invoke("report", run)
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr


@pytest.mark.parametrize(("form", "sign"), [("markdown", "x floor"), ("latex", r"\textbf{5.00}")])
def test_tables_of_a_run_without_fid_rank_what_it_measured(form, sign, invoke, run):
    facts = json.loads((run / "run.json").read_text())
    columns = json.dumps(facts["columns"]).replace('"fid', '"fd').replace('"FID', '"FD (pixels 16x16)')
    (run / "run.json").write_text(json.dumps(facts | {"columns": json.loads(columns)}))
    rows = pd.read_csv(run / "results.csv")
    for name in [name for name in rows if name.startswith("fid")]:
        rows["fd" + name.removeprefix("fid")], rows[name] = rows[name], float("nan")
    rows["scores_per_seed"] = rows["scores_per_seed"].str.replace('"fid', '"fd')
    rows.to_csv(run / "results.csv", index=False)
    shown = invoke("report", run, "--format", form).stdout
    assert "FD (pixels 16x16)" in shown
    assert sign in shown
