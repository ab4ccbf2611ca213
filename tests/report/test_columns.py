"""Which metrics a report shows, and how their values are written."""

import json

import numpy as np
import pytest

from samplerbench.metrics.column import Column
from samplerbench.report.columns import fid_heading, fid_value, heading, heading_of, metric_columns, value
from samplerbench.store.results import load


def test_recorded_columns_are_used_as_they_are(tmp_path, write_run, cell, metric_columns):
    results = load(write_run(tmp_path, cell("a", 5.0)))
    assert globals()["metric_columns"](results) == metric_columns
    assert fid_heading(results) == "FID (digits-cnn)"
    assert heading_of("sharpness", results) == "sharpness", "never recorded"


def test_older_runs_have_the_columns_of_the_registered_metrics(tmp_path, write_run, cell):
    own = Column("sharpness", "sharpness")
    write_run(tmp_path, cell("a", 5.0), columns=[own])
    facts = json.loads((tmp_path / "run.json").read_text())
    older = {name: fact for name, fact in facts.items() if name != "columns"}
    (tmp_path / "run.json").write_text(json.dumps(older))
    results = load(tmp_path)
    found = {column.name: column for column in metric_columns(results)}
    assert found["fid"].floor == "fid_floor"
    assert found["kid"].spread == "kid_se"
    assert fid_heading(results) == "FID (digits-cnn)"
    mixed = type(results)(tmp_path, results.rows, {"new": facts, "old": older})
    assert {own.name, "kid"} <= {column.name for column in metric_columns(mixed)}


@pytest.mark.parametrize(
    ("column", "row", "expected"),
    [
        (Column("x"), {"x": 0.12345}, "0.123"),
        (Column("x"), {"x": 1234.5}, "1234"),
        (Column("x", format="{:.1f} dB"), {"x": 1234.5}, "1234.5 dB"),
        (Column("x", format="{:.0f}"), {"x": 2}, "2"),
        (Column("x", spread="se"), {"x": 1.0, "se": 0.0204}, "1.00 ± 0.020"),
        (Column("x", spread="se"), {"x": 1.0, "se": np.nan}, "1.00"),
        (Column("x", spread="se"), {"x": np.nan}, ""),
        (Column("x", spread="blocks"), {"x": 1.0, "x_ci_low": 0.5, "x_ci_high": 1.5}, "1.00 ± 0.50"),
        (Column("x", spread="blocks"), {"x": 1.0, "scores_per_seed": '{"x": [0, 1, 2]}'}, "1.00 ± 2.5"),
        (Column("x", spread="blocks"), {"x": 1.0, "scores_per_seed": '{"x": [1]}'}, "1.00"),
        (Column("x", spread="blocks"), {"x": 1.0, "scores_per_seed": ""}, "1.00"),
        (Column("x"), {}, ""),
    ],
)
def test_a_value_is_written_as_its_column_declares(column, row, expected):
    assert value({"scores_per_seed": ""} | row, column) == expected


def test_a_fid_has_its_recorded_interval(cell):
    row = cell("a", 5.0) | {"fid_ci_low": 4.0, "fid_ci_high": 6.0}
    assert fid_value(row) == "5.00 ± 1.0"
    assert fid_value(cell("a", 5.0, blocks=1)) == "5.32"


def test_a_heading_names_the_extractor_unless_it_is_inception():
    fid = Column("fid", "FID", extractor=True, label_exact="Frechet distance")
    assert heading(fid, {"extractor": "digits-cnn"}) == "FID (digits-cnn)"
    assert heading(fid, {"extractor": "inception-v3-compat"}) == "FID"
    assert heading(fid, {"extractor": "pixels"}) == "Frechet distance"
    assert heading(Column("kid", "KID", extractor=True), {"extractor": "pixels"}) == "KID (pixels)"
    assert heading(Column("novelty", "novelty"), {"extractor": "digits-cnn"}) == "novelty"
