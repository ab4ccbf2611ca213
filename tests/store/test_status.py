"""How far a run is: running, finished, stopped and killed; and what is no run."""

import json
import os
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from samplerbench.errors import InputError
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.status import FINISHED, KILLED, RUNNING, STOPPED, UNSURE, read_status, runs_in
from samplerbench.store.writer import Writer

NOW = datetime.now(timezone.utc)
STARTED = (NOW - timedelta(minutes=10)).isoformat(timespec="seconds")
DURING = (NOW - timedelta(minutes=6)).isoformat(timespec="seconds")
BEFORE = (NOW - timedelta(days=1)).isoformat(timespec="seconds")
PLANNED = {"a": 10, "b": 10, "c": 100, "d": 0}


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """The time at which these tests were collected, which may be minutes ago."""
    monkeypatch.setattr("samplerbench.store.status.time.time", NOW.timestamp)


@pytest.fixture
def run(tmp_path, facts):
    """run(*rows, **facts): a run directory whose last row was written two minutes ago."""

    def run(*rows: tuple[str, str, str], **others: object) -> Path:
        with RunDirectory(tmp_path) as store:
            store.describe(facts | {"utc": STARTED, "planned": PLANNED} | others)
            store.write()
            for cell, status, utc in rows:
                store.add({"method": cell, "cell": cell, "status": status, "utc": utc})
        past = (NOW - timedelta(minutes=2)).timestamp()
        os.utime(tmp_path / "results.csv", (past, past))
        return tmp_path

    return run


def hold(folder: Path, **changes: object) -> None:
    (folder / "run.lock").write_text(json.dumps(asdict(replace(Writer.this(), **changes))))


def counts(status) -> tuple:
    return status.done, status.failed, status.skipped, status.pending


def test_a_running_run_has_a_rate_and_a_time_that_is_left_by_its_steps(run):
    folder = run(("a", "ok", DURING), ("b", "failed", DURING))
    hold(folder)
    found = read_status(folder)
    assert (found.state, found.writers[0].pid) == (RUNNING, os.getpid())
    assert counts(found) == (1, 1, 0, 2)
    assert found.last == pytest.approx(120)
    assert found.per_hour == pytest.approx(2 * 60 / 8, rel=0.1), "2 cells in the 8 minutes until the last row"
    assert found.left == pytest.approx(100 / 20 * 480 - 120, rel=0.1), "c alone has five times the steps of a and b"


def test_a_row_that_is_being_written_does_not_count_yet(run):
    folder = run(("a", "ok", DURING))
    hold(folder)
    with (folder / "results.csv").open("a") as file:
        file.write("b,,,")
    assert counts(read_status(folder)) == (1, 0, 0, 3)


@pytest.mark.parametrize(
    ("changes", "state"),
    [({"pid": 2**22 + 1, "started": "1"}, KILLED), ({"host": "node-7"}, UNSURE)],
    ids=["killed", "on another machine"],
)
def test_the_writer_may_be_gone_or_out_of_sight(run, changes, state):
    folder = run(("a", "ok", DURING))
    hold(folder, **changes)
    found = read_status(folder)
    assert (found.state, found.running) == (state, state == UNSURE)
    assert (found.left is None) == (state == KILLED)


def test_without_a_writer_a_run_is_stopped_or_finished(run):
    stopped = read_status(run(("a", "ok", DURING)))
    assert (stopped.state, stopped.left) == (STOPPED, None)
    rest = [("b", "ok", DURING), ("c", "failed", DURING), ("d", "skipped", DURING)]
    finished = read_status(run(*rest))
    assert (finished.state, counts(finished)) == (FINISHED, (2, 1, 1, 0))


def test_rows_of_other_sweeps_do_not_count_and_earlier_failures_are_pending(run):
    found = read_status(run(("a", "ok", BEFORE), ("b", "failed", BEFORE), ("z", "ok", DURING)))
    assert counts(found) == (1, 0, 0, 3)
    hold(found.folder)
    assert read_status(found.folder).per_hour is None, "no row of this session yet"


def test_a_run_of_schema_1_did_not_record_what_it_planned(run):
    folder = run(("a", "ok", DURING))
    facts = json.loads((folder / "run.json").read_text())
    del facts["schema"], facts["planned"]
    (folder / "run.json").write_text(json.dumps(facts))
    assert counts(read_status(folder)) == (1, 0, 0, None)


def test_a_run_that_has_just_begun_has_a_lock_alone(tmp_path):
    hold(tmp_path)
    assert runs_in(tmp_path) == [tmp_path]
    assert (read_status(tmp_path).state, counts(read_status(tmp_path))) == (RUNNING, (0, 0, 0, None))


def test_runs_are_found_below_a_folder_in_their_order_without_merged_reports(tmp_path, facts, fill):
    for name in ("x/shard-10-of-10", "x/shard-2-of-10", "y"):
        fill(tmp_path / name)
    (tmp_path / "report").mkdir()
    (tmp_path / "report/run.json").write_text(json.dumps({"command": "", "runs": {"a": facts}}))
    assert [str(path.relative_to(tmp_path)) for path in runs_in(tmp_path)] == [
        "x/shard-2-of-10", "x/shard-10-of-10", "y",
    ]  # fmt: skip
    with pytest.raises(InputError, match="is a merged report"):
        read_status(tmp_path / "report")
    (tmp_path / "empty").mkdir()
    for nothing in ("empty", "missing"):
        with pytest.raises(InputError, match="is no run directory and holds none"):
            runs_in(tmp_path / nothing)


def test_a_damaged_start_is_an_input_error(run):
    folder = run(("a", "ok", "yesterday"), utc="noon")
    hold(folder)
    with pytest.raises(InputError, match=r"'noon' in run\.json is damaged"):
        read_status(folder)
