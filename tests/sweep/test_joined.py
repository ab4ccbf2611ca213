"""Sessions that share a sweep, in turn in this process; tests/sweep/engine has real ones."""

import socket
import time

import pandas as pd
import pytest

from samplerbench.errors import InputError
from samplerbench.store import lock
from samplerbench.store.place import as_place, names
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.sessions import read_facts
from samplerbench.store.stored_rows import read_results
from samplerbench.store.units import Units
from samplerbench.sweep import share
from samplerbench.sweep.engine.base import ENGINES
from samplerbench.sweep.events import CellFinished, Note, UnitsFinished
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session

EXACT = {"data": "mixture", "samples": 60, "batch_size": 40, "steps": "1,2", "seeds": "0-2"}
EXACT |= {"methods": "ddim", "save_images": True}
NEW = ["commit", "utc"]  # of every measurement


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(share, "POLL_S", 0.0)


@pytest.fixture(scope="module")
def serial(measure, tmp_path_factory):
    """The rows of the sweep that is shared, from one session."""
    return measure(tmp_path_factory.mktemp("serial"), **EXACT)[0]


@pytest.fixture
def join(pools, tmp_path):
    """join(**options): the events of another session of the same sweep, which go on as they are asked for."""

    def join(**options):
        given = EXACT | {"engine": "inline", "join": True, "output": tmp_path / "run"} | options
        return Session(Sweep(**given)).execute()

    return join


def until(events, kind):
    """Go on to the next event of this kind."""
    return next(event for event in events if isinstance(event, kind))


def units(pools) -> list[tuple]:
    return sorted(unit for pool in pools for unit in pool.sent)


def same(folder, serial) -> None:
    rows = read_results(folder).sort_values("cell", ignore_index=True)
    expected = serial.sort_values("cell", ignore_index=True)
    pd.testing.assert_frame_equal(rows.drop(columns=NEW), expected.drop(columns=NEW), rtol=1e-9)


@pytest.mark.parametrize("where", ["local", "bucket"])
def test_two_sessions_measure_every_unit_once_and_get_the_rows_of_one(join, pools, serial, tmp_path, where):
    output = as_place(f"file://{tmp_path}/run") if where == "bucket" else tmp_path / "run"
    first, second = (join(output=str(output)) for _ in range(2))
    until(first, UnitsFinished)
    until(first, UnitsFinished)  # it has stored a unit, and begun others
    waiting = until(second, Note)
    assert waiting.text == "Waiting for other sessions, which measure 1 unit."
    assert len([event for event in first if isinstance(event, CellFinished)]) == 2
    assert names(output / "rows") != []
    assert [*read_results(output)["steps"]] == [1, 2], "in the order of the sweep"
    assert len([event for event in second if isinstance(event, CellFinished)]) == 1, "those of the other one are shown"
    assert units(pools) == [(place, block) for place in range(2) for block in range(3)]
    assert all(pool.sent for pool in pools), "no workers are started for nothing"
    same(output, serial)
    assert names(output / "rows") == names(output / "claims") == names(output / "sessions") == []
    assert len(names(output / "images")) == 6
    assert len(read_facts(output)["sessions"]) == 2
    assert [*read_results(output)["steps"]] == [1, 2], "in the order of the sweep"


def test_timings_take_turns_on_a_host_and_are_exclusive(join, pools, tmp_path, monkeypatch):
    inline = ENGINES.lookup("inline")
    monkeypatch.setattr(ENGINES, "lookup", lambda name: inline)
    timed = {
        "data": None,
        "samples": 20,
        "batch_size": 10,
        "metrics": "fid",
        "seeds": "0",
        "steps": "1",
        "methods": "ddim,flow",
    }
    first, second = join(**timed), join(**timed)
    while until(first, UnitsFinished).phase == "units":
        pass
    assert until(second, Note).text == "Waiting for the timings of another session."
    list(first), list(second)
    rows = read_results(tmp_path / "run")
    assert rows["exclusive"].tolist() == ["false", "true"], "the other one came before the first timing ended"
    assert (rows["latency_s"] > 0).all()


def test_a_cell_that_failed_is_tried_once_by_the_sessions_that_are_there(join, pools, broken, tmp_path):
    options = {"methods": "raises,ddim", "steps": "2", "seeds": "0"}
    list(join(**options))
    before = read_results(tmp_path / "run")
    time.sleep(1.0 - time.time() % 1)  # rows are dated to the second
    pools.clear()
    first, second = join(**options), join(**options)
    until(first, UnitsFinished)
    list(second), list(first)
    assert units(pools) == [(0, 0)]
    after = read_results(tmp_path / "run")
    assert before["status"].tolist() == after["status"].tolist() == ["failed", "ok"]


def test_what_another_host_has_begun_is_free_after_its_heartbeat_ends(join, serial, tmp_path, monkeypatch):
    first = join()
    until(first, UnitsFinished)
    until(first, UnitsFinished)
    (session,) = names(tmp_path / "run/sessions")
    path = tmp_path / "run/sessions" / session
    path.write_text(path.read_text().replace(f'"{socket.gethostname()}"', '"elsewhere"'))
    second = join()
    assert until(second, Note).text == "Waiting for other sessions, which measure 1 unit."
    monkeypatch.setattr(lock, "STALE_S", -1.0)
    assert "on elsewhere since" in until(second, Note).text
    list(second)
    same(tmp_path / "run", serial)
    with pytest.raises(InputError, match=r"sessions/.*\.lock' was removed or replaced during this run"):
        list(first)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"steps": "2"},
            r"holds another sweep, which differs in --steps: --join takes the options of the",
        ),
        ({"shard": "1/2"}, "--shard and --join are two ways to split a sweep: give one of them"),
        ({"batch_size": "auto"}, "--join needs the same --batch-size on every machine"),
        ({"join": False}, "is shared by process .* with --join: add --join, or wait for it"),
    ],
    ids=str,
)
def test_what_cannot_join_is_one_sentence(join, options, reason):
    first = join()
    until(first, UnitsFinished)
    with pytest.raises(InputError, match=reason):
        list(join(**options))


def test_a_session_with_other_cells_cannot_join(join, monkeypatch):
    first = join()
    until(first, UnitsFinished)
    monkeypatch.setattr("samplerbench.sweep.cell_key.device_name", lambda device: "another device")
    with pytest.raises(InputError, match="measures other cells: samplerbench, plug-ins, weights, data and the kind of"):
        list(join())


def test_a_run_without_join_is_not_joined(join, tmp_path):
    with (
        RunDirectory(tmp_path / "run"),
        pytest.raises(InputError, match=r"is being written by process .*: wait for it, start all with --join"),
    ):
        list(join())


def test_a_row_that_a_file_server_shows_late_is_no_failure(join, pools, serial, tmp_path, monkeypatch):
    """Another session has written it and deleted the blocks, which are missing when the last one has been measured."""
    read, gone = Units.read, []

    def late(units, cell):
        if not gone and len(units.blocks(cell)) == 2:
            gone.extend((tmp_path / "run/units").glob(f"{cell}-*.npz"))
            for path in gone:
                path.unlink()
        return read(units, cell)

    monkeypatch.setattr(Units, "read", late)
    list(join())
    assert gone
    same(tmp_path / "run", serial)
