"""The published tables: their columns, and that no grid of ours stands for another."""

from pathlib import Path

import pandas as pd
import pytest

from samplerbench.methods import GRIDS, get
from samplerbench.regression.golden.figure import read_figures
from samplerbench.report.published import COLUMNS, MORE, published

FOLDER = Path(__file__).parents[2] / "results/published"
TABLES = sorted(file.stem for file in FOLDER.glob("*.csv"))


@pytest.mark.parametrize("name", TABLES)
def test_every_row_says_what_was_measured(name):
    rows = published(name)
    assert list(rows) == [*COLUMNS, *MORE, "given"]
    assert rows["fid"].between(0.5, 500).all()
    assert rows["nfe"].ge(1).all()
    for column in ("method", "grid", "labels", "evaluator", "source"):
        assert (rows[column] != "").all(), column
    assert set(rows["confirmed"]) <= {"primary", "secondary"}
    assert set(rows["labels"]) <= {"none", "independent", "balanced", "unknown"}
    assert not rows.duplicated(["method", "model", "grid", "nfe", "fid"]).any()
    for sampler in set(rows["sampler"]) - {""}:
        assert str(get(sampler))


@pytest.mark.parametrize("name", TABLES)
def test_grids_that_end_at_sigma_or_start_below_one_are_named_so(name):
    rows = published(name)
    theirs = rows[rows["source"].str.startswith("zju-pi/diff-sampler")]
    assert theirs["grid"].str.contains("0.002").all()
    assert not rows["grid"].isin(["quadratic"]).any(), "DDIM's starts at t = 0.801"
    for grid in set(rows["grid"]):
        if grid.partition("[")[0] in GRIDS.names():
            assert GRIDS.get(grid)


@pytest.mark.parametrize("figure", [each for each in read_figures() if each.tier], ids=lambda figure: figure.name)
def test_the_golden_figures_are_among_them(figure):
    rows = published(str(figure.options["data"]))
    grid = figure.options.get("grid", "one step" if figure.nfe else "adaptive")
    found = rows[(rows["fid"] == figure.published) & (rows["grid"] == grid)]
    assert len(found) == 1, figure.name
    assert str(get(found["sampler"].iloc[0])) == str(get(figure.method))
    printed = {"ddpm-ddim-100-quadratic": 100, "otcfm-dopri5": 134}
    assert found["nfe"].iloc[0] == printed.get(figure.name, figure.nfe)


def test_a_table_of_ones_own_may_lack_the_newer_columns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results/published").mkdir(parents=True)
    row = dict.fromkeys(COLUMNS, "x") | {"nfe": "5", "fid": "2.50"}
    pd.DataFrame([row]).to_csv("results/published/mine.csv", index=False)
    found = published("mine").iloc[0]
    assert (found["given"], found["fid"], found["sampler"]) == ("2.50", 2.5, "")
