"""A directory that survives a kill at any byte, and takes as long for its last row as for its first."""

import csv
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from samplerbench.errors import InputError, WriteError
from samplerbench.store import run_directory
from samplerbench.store.columns import to_csv, to_line
from samplerbench.store.lock import Lock
from samplerbench.store.raw import read_raw
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.sessions import read_facts
from samplerbench.store.stored_rows import read_results


@pytest.fixture
def run(tmp_path):
    return tmp_path / "run"


def fids(folder) -> dict[str, float]:
    return dict(read_results(folder)[["method", "fid"]].itertuples(index=False))


def test_rows_come_back_as_they_were_added(run, cell, failed, fill):
    odd = cell("b", 1e-7, error='a "quoted, reason"\nin two lines', fid_floor_sd=np.inf) | {"steps": None}
    store = fill(run, cell("a", 5.0), odd, failed("c", "RuntimeError: é"))
    found = read_results(run)
    assert found["error"].tolist() == ["", 'a "quoted, reason" in two lines', "RuntimeError: é"]
    pd.testing.assert_frame_equal(found.drop(columns="error"), store.frame().drop(columns="error"))
    text = (run / "results.csv").read_text()
    assert to_csv(found) == text, "line by line the same as in one piece"
    assert "".join(to_line(row, found.columns) for row in found.to_dict("records")) == text.partition("\n")[2]


def test_of_two_rows_of_a_cell_the_last_counts_and_at_the_end_it_is_alone(run, cell, failed, fill):
    fill(run, failed("a", "RuntimeError"), cell("b", 6.0))
    with RunDirectory(run) as store:
        store.add(cell("a", 5.0, cell="another hash"))
        lines = (run / "results.csv").read_text().splitlines()
        assert [line.partition(",")[0] for line in lines] == ["method", "a", "b", "a"], "appended, not rewritten"
        assert fids(run) == {"b": 6.0, "a": 5.0}
        assert store.done("another hash")
        assert not store.done("a10")
    assert len((run / "results.csv").read_text().splitlines()) == 3


def test_adding_a_row_writes_that_row_alone(run, cell, fill, monkeypatch):
    def whole(*_: object) -> None:
        raise AssertionError("a file was written as a whole")

    fill(run, cell("a", 5.0))
    with RunDirectory(run) as store:
        monkeypatch.setattr(run_directory, "replace", whole)
        before = (run / "results.csv").read_bytes()
        store.add(cell("b", 6.0))
        assert (run / "results.csv").read_bytes().startswith(before)


def test_a_kill_at_any_byte_of_a_row_loses_that_row_alone(run, cell, fill):
    fill(run, cell("a", 5.0), cell("b", 6.0))
    text = (run / "results.csv").read_bytes()
    start = text.rindex(b"\nb,") + 2
    for end in (*range(start, len(text) - 1, 13), len(text) - 1):
        (run / "results.csv").write_bytes(text[:end])
        store = RunDirectory(run)
        assert (store.done("a10"), store.done("b10")) == (True, False)
    assert fids(run) == {"a": 5.0}
    with RunDirectory(run) as store:
        (note,) = store.notes
        assert "results.csv ends in the middle of a row, which is measured again: b," in note
        store.write()
        store.add(cell("b", 7.0))
    assert fids(run) == {"a": 5.0, "b": 7.0}


def test_new_columns_are_added_once_and_older_runs_lack_some(run, cell, fill):
    fill(run, cell("a", 5.0), metrics=("order",))
    frame = read_results(run).drop(columns=["weights", "command"])
    (run / "results.csv").write_text(to_csv(frame))
    fill(run, cell("b", 6.0, sharpness=0.5), metrics=("sharpness",))
    found = read_results(run)
    assert list(found.columns[-2:]) == ["sharpness", "order"]
    assert found["sharpness"].tolist() == pytest.approx([np.nan, 0.5], nan_ok=True)
    assert found["command"].tolist() == ["", "bench run --methods b --steps 10"]


def test_what_a_killed_run_left_behind_is_removed(run, cell, fill):
    fill(run, cell("a", 5.0))
    for name in ("results.csv.partial", "run.json.partial", "raw/x.npz.partial"):
        (run / name).write_text("half")
    fill(run)
    assert sorted(os.listdir(run)) == ["raw", "results.csv", "run.json"]
    assert os.listdir(run / "raw") == []


def test_a_row_that_cannot_be_written_is_in_the_error(run, cell, fill):
    def lose(change) -> str:
        fill(run, cell("a", 5.0))
        with RunDirectory(run) as store:
            change()
            with pytest.raises(WriteError) as error:
                store.add(cell("b", 6.0), {"b10": {"images": np.zeros(3)}})
        return error.value.rows

    def as_directory() -> None:
        (run / "results.csv").unlink()
        (run / "results.csv").mkdir()

    assert lose((run / "run.lock").unlink).startswith("b,")
    assert fids(run) == {"a": 5.0}
    assert lose(as_directory).startswith("b,")
    (run / "results.csv").rmdir()
    for gone in ((run / "results.csv").unlink, lambda: shutil.rmtree(run)):
        rows = [*csv.DictReader(lose(gone).splitlines())]
        assert [row["method"] for row in rows] == ["a", "b"], "also what had been written before"


def test_another_writer_is_refused_and_its_rows_are_kept(run, cell, fill):
    fill(run, cell("a", 5.0))
    reader = RunDirectory(run)
    with RunDirectory(run) as store:
        with pytest.raises(InputError, match="is being written by process"), reader:
            pytest.fail("two writers")
        store.add(cell("b", 6.0))
    with reader:
        reader.add(cell("c", 7.0))
    assert fids(run) == {"a": 5.0, "b": 6.0, "c": 7.0}, "it reads what was written before it came to write"


def test_a_directory_taken_over_by_hand_is_written_by_one(run, cell, fill):
    with RunDirectory(run) as store:
        store.write()
        (run / "run.lock").unlink()
        other = Lock(run / "run.lock")
        with pytest.raises(WriteError, match="another run may write there too"):
            store.add(cell("a", 5.0))
    assert other.held()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (
            lambda text: text.replace(",ok,", ",", 1),
            r"Line 2 of '.*' is damaged \(it has \d+ of \d+ values\)",
        ),
        (lambda text: text.replace('"{', "{", 1), r"Line 2 of '.*results\.csv' is damaged"),
        (lambda text: "\0" * 64 + "\n" + text, "is damaged"),
    ],
)
def test_damaged_results_are_refused_and_left_as_they_are(damage, reason, run, cell, fill):
    fill(run, cell("a", 5.0), cell("b", 6.0))
    damaged = damage((run / "results.csv").read_text())
    (run / "results.csv").write_text(damaged)
    for read in (read_results, RunDirectory):
        with pytest.raises(InputError, match=reason):
            read(run)
    assert (run / "results.csv").read_text() == damaged


@pytest.mark.parametrize("length", [0, 100])
def test_results_without_a_whole_header_hold_no_rows_and_are_written_anew(length, run, cell, fill):
    fill(run, cell("a", 5.0), cell("b", 6.0))
    os.truncate(run / "results.csv", length)
    assert read_results(run).empty
    with RunDirectory(run) as store:
        store.write()
        store.add(cell("b", 6.0))
    assert fids(run) == {"b": 6.0}


def test_the_last_row_of_a_baseline_needs_no_line_end(tmp_path, cell, fill):
    fill(tmp_path / "run", cell("a", 5.0), cell("b", 6.0))
    text = (tmp_path / "run/results.csv").read_text()
    (tmp_path / "results.csv").write_text(text.rstrip("\n"))
    assert fids(tmp_path) == fids(tmp_path / "results.csv") == {"a": 5.0, "b": 6.0}


def test_a_merged_report_is_no_run(run, cell, fill):
    fill(run, cell("a", 5.0))
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({"command": "bench report", "runs": {"x": facts}}))
    with pytest.raises(InputError, match="is a report of several runs: choose another --output"):
        RunDirectory(run)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:-9], r"run\.json' is damaged .*: restore it, or delete it and repeat the `bench run`"),
        (lambda text: "[]", "it is not an object"),
        (lambda text: text.replace('"utc"', '"when"'), "it has no 'utc'"),
        (lambda text: text.replace('"environment": {', '"environment": 3, "x": {', 1), "its 'environment' is damaged"),
    ],
)
def test_damaged_facts_are_refused(change, reason, run, cell, fill):
    fill(run, cell("a", 5.0))
    (run / "run.json").write_text(change((run / "run.json").read_text()))
    for read in (read_facts, RunDirectory):
        with pytest.raises(InputError, match=reason):
            read(run)


def test_raw_data_is_read_as_it_was_written(run):
    with RunDirectory(run) as store:
        store.add_raw("a10", {"images": np.arange(6).reshape(2, 3)})
    assert read_raw(run, "a10")["images"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert read_raw(run, "b10") == {}
