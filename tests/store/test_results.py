"""Results as reports read them from run directories."""

import json
from pathlib import Path

import numpy as np
import pytest

from samplerbench.errors import InputError
from samplerbench.metrics.column import Column
from samplerbench.store.provenance import fingerprint
from samplerbench.store.results import load, machine


def test_machines_that_only_look_alike_are_told_apart(tmp_path, write_run, cell):
    alike = [cell("a", 5.0, environment="e1"), cell("b", 6.0, environment="e2")]
    results = load(write_run(tmp_path, *alike))
    assert results.rows["machine"].tolist() == ["cpu (A), 2 threads (e1)", "cpu (A), 2 threads (e2)"]
    assert machine({"environment": {"device": "cpu", "threads": 1}}) == "cpu, 1 thread"


def test_groups_are_protocols_with_names_of_their_own(tmp_path, write_run, cell):
    rows = cell("a", 5.0), cell("a", 4.0, grid="karras", protocol="q", cell="x")
    results = load(write_run(tmp_path, *rows))
    assert results.rows["name"].tolist() == ["a, uniform", "a, karras"]
    assert [group.rows["name"].tolist() for group in results.groups] == [["a"], ["a"]]


def test_rows_by_what_was_measured(tmp_path, write_run, cell, failed):
    rows = (
        cell("a", 5.0, trajectory_rmse=0.1),
        cell("b", np.nan, trajectory_rmse=0.0),
        cell("c", 6.0, latency_s=np.nan),
        failed("d", "RuntimeError"),
    )
    results = load(write_run(tmp_path / "a", *rows))
    assert results.scored["method"].tolist() == ["a", "c"]
    assert results.solved["method"].tolist() == ["a"], "an error of 0 has no place on a logarithmic axis"
    assert results.timed["method"].tolist() == ["a"]
    assert load(write_run(tmp_path / "b", cell("a", 5.0))).solved.empty, "the metric was not measured"


def test_columns_are_those_that_the_run_recorded(tmp_path, write_run, cell):
    columns = [Column("fid", "FID", "lower", extractor=True), Column("sharpness", "sharpness", format="{:.1f}")]
    results = load(write_run(tmp_path, cell("a", 5.0), columns=columns))
    assert [Column.from_json(column) for column in results.recorded_columns] == columns
    facts = json.loads((tmp_path / "run.json").read_text())
    del facts["columns"]
    (tmp_path / "run.json").write_text(json.dumps(facts))
    assert load(tmp_path).recorded_columns == []


def test_damaged_raw_data_is_named(tmp_path, write_run, cell):
    results = load(write_run(tmp_path, cell("a", 5.0)))
    assert results.raw("", "a10") == {}
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a10.npz").write_bytes(b"not a zip")
    with pytest.raises(InputError, match=r"raw/a10\.npz is damaged"):
        results.raw("", "a10")
    for images in (np.zeros(3, np.uint8), np.zeros((1, 1, 8, 8)), np.zeros((0, 1, 8, 8), np.uint8)):
        np.savez(tmp_path / "raw/a10.npz", images=images)
        with pytest.raises(InputError, match=r"raw/a10\.npz is damaged \(its images are "):
            results.raw("", "a10")


def test_a_row_was_measured_on_the_machine_of_its_session(tmp_path, write_run, cell):
    first, second = {"device": "cpu (A)", "threads": 1}, {"device": "cuda (H100)", "threads": 2}
    rows = [cell("a", 5.0, environment=fingerprint(first)), cell("b", 6.0, environment=fingerprint(second))]
    write_run(tmp_path, *rows)
    facts = json.loads((tmp_path / "run.json").read_text()) | {"environment": second}
    sessions = [{"environment": first}, {"environment": second}]
    (tmp_path / "run.json").write_text(json.dumps(facts | {"sessions": sessions}))
    assert load(tmp_path).rows["machine"].tolist() == ["cpu (A), 1 thread", "cuda (H100), 2 threads"]


def test_unfinished_and_replaced_rows_are_not_read(tmp_path, write_run, cell):
    write_run(tmp_path, cell("a", 5.0), cell("b", 6.0), cell("a", 4.0))
    with (tmp_path / "results.csv").open("a") as file:
        file.write("c,,ddpm,dig")
    assert load(tmp_path).rows[["method", "fid"]].values.tolist() == [["b", 6.0], ["a", 4.0]]


@pytest.mark.parametrize("facts", ["{}", "[]", "{"])
def test_a_folder_without_the_facts_of_a_run_is_refused(tmp_path, write_run, cell, facts):
    write_run(tmp_path, cell("a", 5.0))
    Path(tmp_path, "run.json").write_text(facts)
    with pytest.raises(InputError, match=r"run\.json"):
        load(tmp_path)
