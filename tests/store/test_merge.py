"""Several runs in one report."""

from pathlib import Path

import pytest

from samplerbench.errors import InputError
from samplerbench.report.table import table
from samplerbench.store.merge import merge, named, write
from samplerbench.store.protocol import NotComparable
from samplerbench.store.results import load


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_runs_are_merged_and_their_rows_told_apart(write_run, cell, bench_report):
    write_run(Path("a/run"), cell("ddim", 5.0), cell("flow", 6.0, jitter="b"))
    write_run(Path("b/run"), cell("ddim", 5.5, jitter="c"), device="cuda (H100)")
    assert bench_report("a/run", "b/run", "--output", "both").exit_code == 0
    text = Path("both/report.md").read_text()
    assert "3 cells measured. From 2 runs: `a-run`, `b-run`." in text
    assert "different machines: their seconds do not compare" in text
    assert "best at 10 NFE: `ddim, a-run`" in text
    assert "against time on cuda (H100)" in text
    results = load(Path("both"))
    assert results.rows["run"].tolist() == ["a-run", "a-run", "b-run"]
    assert {"run", "machine"} <= set(table(results))
    assert "protocol" not in table(results)
    assert bench_report("both").exit_code == 0, "the merged report can be made again"
    assert Path("both/report.md").read_text() == text


def test_mixed_protocols_are_refused_by_name_unless_allowed(write_run, cell, bench_report):
    write_run(Path("a"), cell("ddim", 5.0), cell("flow", 6.0))
    other = {"samples": 500, "protocol": "q"}
    write_run(Path("b"), cell("ddim", 3.0, **other), cell("flow", 4.0, **other), samples=500, floor_images=500)
    refused = bench_report("a", "b")
    assert refused.exit_code == 3
    assert "samples (1000 and 500)" in refused.output
    assert "floor" not in refused.output, "what follows from the samples need not be said"
    assert not Path("results").exists()
    with pytest.raises(NotComparable, match="samples"):
        merge([Path("a"), Path("b")], Path("both"))

    assert bench_report("a", "b", "--mixed").exit_code == 0
    text = Path("results/report/report.md").read_text()
    assert text.count("best at 10 NFE") == 2, "one verdict within each protocol"
    shown = table(load(Path("results/report")))
    assert shown.loc[[0, 1, 2, 3], "Pareto"].tolist() == ["both", "", "both", ""]
    assert shown.loc[[0, 3], "protocol"].tolist() == ["p", "q"]


def test_names_take_as_much_of_the_path_as_they_need():
    assert [*named([Path("x/a/run"), Path("x/b/run")])] == ["a-run", "b-run"]
    assert [*named([Path("x/a"), Path("x/b")])] == ["a", "b"]
    with pytest.raises(InputError, match="given twice"):
        named([Path("a"), Path("a/../a").resolve()])


def test_a_merged_report_is_replaced_and_nothing_else_is(write_run, cell):
    runs = [write_run(Path(name), cell(name, 5.0)) for name in ("a", "b")]
    (runs[0] / "raw").mkdir()
    (runs[0] / "raw/a10.npz").write_bytes(b"")
    both = merge(runs, Path("both"))
    for _ in range(2):
        write(both, runs, mixed=False)
        assert Path("both/raw/a/a10.npz").exists()
    with pytest.raises(InputError, match="itself a merged report"):
        merge([Path("both"), Path("a")], Path("more"))
    for taken in ("a", "both/results.csv"):
        with pytest.raises(InputError, match="choose another --output"):
            write(merge(runs, Path(taken)), runs, mixed=False)
