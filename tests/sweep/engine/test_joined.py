"""Commands that share a sweep, one of which is killed while it measures."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd

from samplerbench.store.place import contents, names
from samplerbench.store.stored_rows import read_results

EXACT = {"data": "mixture", "samples": 60, "batch_size": 60, "steps": "2"}
NEW = ["commit", "utc"]  # of every measurement


def test_a_session_that_is_killed_in_a_unit_leaves_it_to_the_other_one(mishaps, measure, tmp_path):
    options, run = EXACT | {"methods": "slow", "seeds": "0-3"}, tmp_path / "run"
    serial, _ = measure(tmp_path / "serial", **options)
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "samplerbench", "run", *words, "--join", "--output", "run"]
    environment = os.environ | {"PYTHONPATH": str(mishaps), "OMP_NUM_THREADS": "1"}
    killed, other = (
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    )
    while len(set(contents(run / "claims", "").values()) - {b""}) < 2:
        assert other.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    _, said = other.communicate(timeout=100)
    assert other.returncode == 0, said
    assert f"The process {killed.pid} on " in said.decode()
    rows = read_results(run).sort_values("steps", ignore_index=True)
    pd.testing.assert_frame_equal(rows.drop(columns=NEW), serial.drop(columns=NEW), rtol=1e-9)
    assert names(run) == ["pictures", "raw", "report.html", "report.md", "results.csv", "run.json"]
