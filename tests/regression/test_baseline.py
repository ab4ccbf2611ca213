"""The committed baseline: what it keeps of a run, and what it refuses."""

import json

import pytest

from samplerbench.errors import InputError
from samplerbench.metrics.column import Column
from samplerbench.regression.baseline import update
from samplerbench.regression.compare import compare_runs
from samplerbench.store.protocol import protocol_facts, recorded_columns


@pytest.fixture
def run(tmp_path, make_frame):
    """Writes a run directory of these rows."""

    def write(*rows: dict, **facts):
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        make_frame(*rows).to_csv(folder / "results.csv", index=False)
        (folder / "run.json").write_text(json.dumps(facts))
        return folder

    return write


def test_it_reads_like_a_lock_file(tmp_path, run, make_row):
    folder = tmp_path / "baseline"
    file = update(run(make_row(1, "flow", utc="now", commit="abc"), make_row(0)), folder, "first")
    first = file.read_text()
    assert [line.split(",")[0] for line in first.splitlines()] == ["method", "ddim", "flow"], "sorted"
    assert "abc" not in first
    update(run(make_row(0), make_row(1, "flow", utc="later")), folder, "second\nline")
    assert file.read_text() == first, "the order and the time of the run do not matter"
    assert [line.split(": ")[1] for line in (folder / "REASONS.md").read_text().splitlines()] == [
        "first",
        "second line",
    ]


def test_its_numbers_have_six_digits(tmp_path, run, make_row):
    file = update(run(make_row(0, fid=3.14159265, scores_per_seed="")), tmp_path / "baseline", "digits")
    assert ",3.14159," in file.read_text()


def test_later_runs_compare_with_it_by_its_recorded_protocol_and_columns(tmp_path, run, make_row):
    facts = {"quality": {"dataset": "digits"}, "columns": [Column("sharpness", "sharpness", "higher").to_json()]}
    scores = [json.dumps({"sharpness": [value, value + 0.1, value]}) for value in (5.0, 4.0)]
    baseline = update(
        run(make_row(0, sharpness=5.0, scores_per_seed=scores[0]), **facts), tmp_path / "baseline", "first"
    ).parent
    assert protocol_facts(baseline) == facts["quality"]
    assert [Column.from_json(column) for column in recorded_columns(baseline)] == [
        Column("sharpness", "sharpness", "higher")
    ]
    later = run(make_row(1, sharpness=4.0, scores_per_seed=scores[1]))
    assert [v.field for v in compare_runs(baseline, later, ["sharpness:1%"]) if v.status == "regression"] == [
        "sharpness"
    ]


def test_a_run_without_a_record_of_its_columns_makes_a_baseline(tmp_path, run, make_row):
    update(run(make_row(0)), tmp_path / "baseline", "old")
    assert json.loads((tmp_path / "baseline" / "protocol.json").read_text())["columns"] == []


def test_a_run_with_a_failed_cell_or_without_rows_is_refused(tmp_path, run, make_row):
    with pytest.raises(InputError, match="cannot become the baseline: ddim failed"):
        update(run(make_row(0, status="failed")), tmp_path / "baseline", "bad")
    with pytest.raises(InputError, match="it has no rows"):
        update(run(), tmp_path / "baseline", "bad")
    assert not (tmp_path / "baseline").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, run, make_row):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot write to"):
        update(run(make_row(0)), tmp_path / "file" / "below", "first")
