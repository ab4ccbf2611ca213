import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samplerbench.cli import results
from samplerbench.cli.results import ESSENTIAL, fit, print_results
from samplerbench.store.results import load

TABLE = pd.DataFrame(
    {
        "method": ["ddim[eta=0.5]", "heun"], "recipe": ["ddpm", "ddpm"], "grid": ["uniform", "karras"],
        "steps": ["5", "5"], "NFE": ["5", "9"], "FID (digits-cnn)": ["24.1 ± 6.6", "1234.5 ± 67"],
        "rank": ["1–2", "1–2"], "x floor": ["2.55", "101"], "novelty": ["1.02 ± 0.11", "1.00 ± 0.2"],
        "images/s": ["123", "45"],
    }
)  # fmt: skip
WIDE = ["recipe", "images/s"]
KEPT = [*ESSENTIAL, "FID (digits-cnn)"]


def total(shown: pd.DataFrame) -> int:
    """The characters of the table, two of them between columns."""
    cells = {column: [*column.split(), *"\n".join(shown[column]).split("\n")] for column in shown}
    return sum(max(map(len, found)) + 2 for found in cells.values()) - 2


@given(st.integers(10, 140))
def test_columns_are_dropped_whole_until_the_others_fit(width):
    fitting, dropped = fit(TABLE, width, WIDE, KEPT)
    assert sorted([*fitting, *dropped]) == sorted(TABLE)
    pd.testing.assert_frame_equal(fitting, TABLE[list(fitting)])
    assert total(fitting) <= width or set(fitting) == set(KEPT) & set(TABLE)


@pytest.mark.parametrize(("room", "lines"), [(40, 1), (0, 2), (-60, 2)])
def test_a_long_method_is_folded_at_its_commas_before_columns_go(room, lines):
    long = TABLE.assign(method=["euler[churn=0.2,s_min=0.1,s_max=50.0]", "heun"])
    fitting, dropped = fit(long, total(TABLE.assign(method=["x" * 30, ""])) + room, WIDE, KEPT)
    assert bool(dropped) == (room < 0)
    method, _ = fitting["method"]
    assert method.replace("\n", "") == long["method"][0]
    assert method.count("\n") + 1 == lines


@pytest.mark.parametrize(
    ("width", "dropped"),
    [
        (140, []),
        (total(TABLE) - 1, ["images/s"]),
        (total(TABLE.drop(columns=WIDE)), WIDE),
        (total(TABLE.drop(columns=WIDE)) - 1, ["recipe", "x floor", "images/s"]),
        (total(TABLE.drop(columns=[*WIDE, "x floor"])) - 1, ["recipe", "x floor", "novelty", "images/s"]),
        (10, ["recipe", "rank", "x floor", "novelty", "images/s"]),
    ],
)
def test_the_order_is_wide_then_dispensable_then_from_the_right(width, dropped):
    assert fit(TABLE, width, WIDE, KEPT)[1] == dropped


def test_of_many_rows_the_first_are_printed_and_of_named_columns_all(tmp_path, write_run, cell, monkeypatch, capsys):
    run = write_run(tmp_path / "run", *(cell(name, 5.0, steps=steps) for name in ("a", "b") for steps in (5, 10, 20)))
    monkeypatch.setattr(results, "MOST", 4)
    print_results(load(run))
    printed = capsys.readouterr().out
    assert re.findall(r"^[ab] +ddpm +uniform +(\d+)", printed, re.MULTILINE) == ["5", "10", "20"], "and real images"
    assert "The other 4 rows are in the report." in printed
    print_results(load(run), "method,steps")
    assert len(re.findall(r"^[ab] +\d+", capsys.readouterr().out, re.MULTILINE)) == 6


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_number_is_cut_and_the_missing_columns_are_named(width, tmp_path, write_run, cell, monkeypatch, capsys):
    options = "churn=0.2,s_min=0.1,s_max=50.0,s_noise=1.003"
    run = write_run(tmp_path / "run", cell("a", 123.456), cell("euler", 7.8, jitter="b", nfe=19, options=options))
    monkeypatch.setattr(results, "WITHOUT_TERMINAL", width)
    print_results(load(run))
    printed = capsys.readouterr().out
    table = printed.split("\nbest at")[0].split("Not shown")[0]
    assert "…" not in table
    assert all(len(line) <= max(width, 61) for line in table.splitlines()), "61 for what is essential"
    for text in (*options.split(","), "123 ± 0.28", "7.80 ± 0.26", " 19 ", "(digits-cnn)"):
        assert text in table
    assert ("Not shown: " in printed) == (width < 160)
    for heading in ("latency", "overhead"):
        assert heading in printed, "in the table, or among the columns that are not shown"
