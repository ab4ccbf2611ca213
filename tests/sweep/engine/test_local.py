"""Workers of this machine against the same sweeps in one process."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samplerbench.errors import InputError
from samplerbench.store.raw import read_raw
from samplerbench.sweep.events import Note, UnitsFinished
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session

EXACT = {"data": "mixture", "samples": 60, "batch_size": 40, "steps": "2", "seeds": "0-1"}
METHODS = "ddim,flow[solver=dopri5],knowledge,dies_once"
NEW = ["commit", "utc"]  # of every measurement


@pytest.fixture(scope="module")
def serial(measure, mishaps, tmp_path_factory):
    return measure(tmp_path_factory.mktemp("serial"), methods=METHODS, **EXACT)


@pytest.fixture(scope="module")
def parallel(measure, mishaps, tmp_path_factory):
    """The same by two workers, one of which dies on its first call of `dies_once`."""
    folder = tmp_path_factory.mktemp("parallel")
    return *measure(folder, methods=METHODS, workers=2, **EXACT), folder


def test_workers_measure_the_rows_of_one_process(serial, parallel):
    ours, theirs = (rows.drop(columns=NEW) for rows in (serial[0], parallel[0]))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-9)
    assert ours["status"].value_counts().to_dict() == {"ok": 3, "skipped": 1}
    assert not (parallel[2] / "units").exists()
    row = ours[ours["method"] == "ddim"].iloc[0]
    raw = read_raw(parallel[2], row["cell"])
    assert raw["images"].shape[0] == 16
    assert np.mean(raw["fid"]) == row["fid"]


def test_a_worker_that_dies_is_replaced_and_its_unit_measured_again(parallel):
    (note,) = [event.text for event in parallel[1] if isinstance(event, Note)]
    assert re.fullmatch(r"A worker was ended by SIGKILL: dies_once 2 steps, block [01], is measured again\.", note)
    last = [event for event in parallel[1] if isinstance(event, UnitsFinished)][-1]
    assert (last.done, last.total, last.workers) == (6, 6, 2)


def test_a_unit_that_hangs_is_ended_also_without_other_workers(measure, mishaps, tmp_path):
    rows, _ = measure(tmp_path / "run", methods="hangs", cell_timeout=1, **EXACT)
    assert rows["error"].tolist() == ["stopped after 1 seconds, the limit of --cell-timeout"]


def test_timing_follows_all_quality_and_is_that_of_one_process(measure, inline, tmp_path):
    options = {"methods": "flow,ddim", "steps": "1", "samples": 70, "batch_size": 70, "seeds": "0-1"}
    serial, _ = measure(tmp_path / "serial", **options)
    parallel, events = measure(tmp_path / "parallel", engine="inline", **options)
    same = [
        "fid",
        "nfe",
        "cell",
        "environment",
        "threads",
        "host",
        "exclusive",
        "gflops_per_image",
        "redraw_difference",
    ]
    pd.testing.assert_frame_equal(serial[same], parallel[same], rtol=1e-9)
    assert (parallel["exclusive"] == "true").all()
    assert (parallel["latency_s"] > 0).all()
    raw = read_raw(tmp_path / "parallel", parallel["cell"][0])
    assert len(raw["latency_s"]) == len(parallel["latency_per_round"][0].split()) >= 4
    phases = [(event.phase, event.done) for event in events if isinstance(event, UnitsFinished)]
    assert phases == [*(("units", done) for done in range(5)), *(("timings", done) for done in range(3))]


def test_a_parent_that_is_killed_leaves_no_process_and_its_blocks_are_kept(measure, mishaps, tmp_path):
    options = EXACT | {"seeds": "0-9"}
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = ["-m", "samplerbench", "run", "--methods", "slow", *words, "--workers", "2", "--output", "run"]
    environment = os.environ | {"PYTHONPATH": str(mishaps)}
    with (tmp_path / "stderr").open("w") as stderr:
        parent = subprocess.Popen([sys.executable, *command], cwd=tmp_path, env=environment, stderr=stderr)
    _until(lambda: len(list((tmp_path / "run/units").glob("*.npz"))) >= 2)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert len(children) >= 2
    assert re.search(r"^units: 1 of 10 units, 2 workers, [\d.e-]+/s$", (tmp_path / "stderr").read_text(), re.MULTILINE)
    _until(lambda: not any(map(_alive, children)))

    kept = [int(path.stem.rpartition("-")[2]) for path in (tmp_path / "run/units").glob("*.npz")]
    for path in (tmp_path / "run/units").glob("*.npz"):
        with np.load(path) as arrays:
            np.savez(path, **dict(arrays) | {"scores": np.full_like(arrays["scores"], 7.0)})
    rows, _ = measure(tmp_path / "run", methods="slow", **options)
    fid = read_raw(tmp_path / "run", rows["cell"].item())["fid"]
    assert (fid == 7.0).sum() == len(kept) < 10, "the kept blocks are read, and the others are measured"
    assert not (tmp_path / "run/units").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, r"--workers takes a number from 1 on, or auto, not 0"),
        ({"workers": "many"}, r"--workers takes a number from 1 on, or auto, not 'many'"),
        ({"workers": 10_000}, r"--workers is at most \d+ here, which has \d+ cores?, not 10000"),
        ({"cell_timeout": 0}, r"--cell-timeout takes seconds above 0, not 0"),
        ({"cell_timeout": float("nan")}, r"--cell-timeout takes seconds above 0, not nan"),
        ({"engine": "slurm"}, r"No engine is named 'slurm'"),
        ({"address": "head:6379"}, r"--address names a cluster, which --engine local does not use: add --engine ray"),
    ],
    ids=str,
)
def test_wrong_options_are_found_before_anything_runs(tmp_path, options, message):
    with pytest.raises(ValueError, match=message) as raised:
        Session(Sweep(methods="ddim", output=tmp_path / "run", **EXACT | options))
    assert type(raised.value).__name__ in (InputError.__name__, "SpecError")
    assert not (tmp_path / "run").exists()


def _until(condition) -> None:
    """Wait until something is true; fail after minutes, which only a very busy machine takes."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
