"""Rows to be read with care are marked, and the marks explained."""

import numpy as np
import pytest

from samplerbench.report.marks import marks
from samplerbench.report.table import table
from samplerbench.report.text import cautions, reading
from samplerbench.store.results import load


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({}, ""),
        ({"fid": 2.9}, "below floor"),
        ({"fid": 400.0}, "above ceiling"),
        ({"order": 1.02, "order_declared": 3.0}, "order 1.02, not 3"),
        ({"order": 2.9, "order_declared": 3.0}, ""),
        ({"order": np.nan, "order_declared": 3.0}, ""),
        ({"redraw_difference": 0.4}, "not repeatable"),
        ({"redraw_difference": 1e-6}, ""),
        ({"fid": 2.0, "redraw_difference": 1.0}, "below floor, not repeatable"),
    ],
)
def test_a_row_has_the_marks_it_deserves(changes, mark, cell):
    assert marks(cell("a", 5.0, blocks=1) | changes) == mark


def test_marks_are_in_the_table_and_only_those_are_explained(tmp_path, write_run, cell):
    results = load(write_run(tmp_path / "a", cell("a", 2.0), cell("b", 5.0)))
    shown = table(results)
    assert shown.set_index("method")["notes"].to_dict() == {"real images": "", "a": "below floor", "b": "", "noise": ""}
    explained = [line for line in reading(results, shown) if line.startswith("`")]
    assert [line.split("`")[1] for line in explained] == ["below floor"]
    assert "notes" not in table(load(write_run(tmp_path / "b", cell("b", 5.0))))


def test_a_sampler_that_is_not_what_it_claims_is_named_above_the_table(tmp_path, write_run, cell):
    wrong = [cell("a", 5.0, steps=steps, order=1.0, order_declared=3.0) for steps in (5, 10)]
    results = load(write_run(tmp_path, *wrong, cell("b", 2.0), cell("c", 5.0, redraw_difference=1.0)))
    assert cautions(results) == [
        "`a` is not what it claims: order 1.00, not 3.", "`c` is not what it claims: not repeatable.",
    ]  # fmt: skip
