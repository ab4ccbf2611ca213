"""A sweep measured by workers, which here answer from this process; tests/sweep/engine has real ones."""

import numpy as np
import pandas as pd
import pytest

from samplerbench.store.stored_rows import read_results
from samplerbench.sweep.engine.base import Gone
from samplerbench.sweep.events import CellFinished, Note
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session

EXACT = {"data": "mixture", "samples": 60, "batch_size": 40, "steps": "2", "seeds": "0-1"}
DIGITS = {"samples": 80, "batch_size": 40, "steps": "2", "seeds": "3,1", "timing": False, "metrics": "fid,kid"}
NEW = ["commit", "utc"]  # of every measurement


def test_rows_raw_data_and_images_are_those_of_one_process(measure, inline, broken, tmp_path, monkeypatch):
    """Also of a cell that fails, and of a student, whose teacher's images are kept."""
    monkeypatch.setattr("samplerbench.sampling.reference.FINE", "pf_ode[solver=dopri5,rtol=0.1,atol=0.1]")
    options = {"methods": "ddim,raises,progressive,flow[solver=dopri5,rtol=0.01]", "save_images": True} | DIGITS
    serial, _ = measure(tmp_path / "serial", **options)
    parallel, _ = measure(tmp_path / "parallel", engine="inline", **options)
    pd.testing.assert_frame_equal(serial.drop(columns=NEW), parallel.drop(columns=NEW), rtol=1e-9)
    assert set(serial["status"]) == {"ok", "failed"}
    for kind in ("raw/*.npz", "images/*.npy", "tracebacks/*.txt"):
        ours, theirs = (sorted((tmp_path / name).glob(kind)) for name in ("serial", "parallel"))
        assert [path.name for path in ours] == [path.name for path in theirs] != []
        for one, other in zip(ours, theirs, strict=True) if "tracebacks" not in kind else ():
            np.testing.assert_equal(*(dict(np.load(path)) if "raw" in kind else np.load(path) for path in (one, other)))


def test_a_unit_whose_worker_always_dies_fails_its_cell_and_no_other(measure, inline, tmp_path):
    inline.answers[0, 1] = Gone("was ended by SIGKILL")
    rows, events = measure(tmp_path / "run", methods="ddim,heun", engine="inline", **EXACT)
    assert rows["status"].tolist() == ["failed", "ok"]
    assert rows["error"][0] == "its worker died 3 times: the last one was ended by SIGKILL"
    assert inline.sent.count((0, 1)) == 3
    assert sum(isinstance(event, Note) for event in events) == 2
    inline.answers.clear()
    inline.sent.clear()
    rows, _ = measure(tmp_path / "run", methods="ddim,heun", engine="inline", **EXACT)
    assert rows["status"].tolist() == ["ok", "ok"]
    assert (0, 1) in inline.sent


def test_an_interrupt_keeps_finished_blocks_and_ends_the_workers(measure, inline, tmp_path):
    options = EXACT | {"methods": "ddim", "seeds": "0-3", "output": tmp_path / "run"}
    inline.answers[0, 2] = KeyboardInterrupt()
    events = Session(Sweep(engine="inline", **options)).execute()
    with pytest.raises(KeyboardInterrupt):
        list(events)
    assert inline.closed == 1
    assert not (tmp_path / "run/run.lock").exists()
    kept = {int(path.stem.rpartition("-")[2]) for path in (tmp_path / "run/units").iterdir()}
    assert kept
    inline.answers.clear()
    inline.sent.clear()
    rows, _ = measure(**options, engine="inline")
    assert {block for _, block in inline.sent} == {0, 1, 2, 3} - kept
    serial, _ = measure(**options | {"output": tmp_path / "serial"})
    pd.testing.assert_frame_equal(serial.drop(columns=NEW), rows.drop(columns=NEW))


def test_rows_are_in_the_order_of_the_sweep_however_they_come(measure, inline, tmp_path):
    _, events = measure(tmp_path / "run", methods="ddim,heun", engine="inline", **EXACT | {"steps": "1,2"})
    finished = [
        (row["method"], row["steps"]) for row in (each.row for each in events if isinstance(each, CellFinished))
    ]
    assert finished == [("ddim", 2), ("heun", 2), ("ddim", 1), ("heun", 1)], "the largest first"
    rows = read_results(tmp_path / "run")
    assert [*zip(rows["method"], rows["steps"], strict=True)] == [("ddim", 1), ("ddim", 2), ("heun", 1), ("heun", 2)]


def test_how_a_sweep_is_measured_is_in_no_hash(measure, inline, tmp_path):
    measure(tmp_path / "run", methods="ddim,heun", **EXACT)
    session = Session(Sweep(methods="ddim,heun", output=tmp_path / "run", engine="inline", cell_timeout=60, **EXACT))
    assert session.pending == []
    assert list(session.execute()) == []
    assert inline.sent == []
