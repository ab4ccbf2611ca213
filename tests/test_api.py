"""`samplerbench.run`, as a user calls it."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import samplerbench
from samplerbench.store.columns import NAMES
from samplerbench.store.run_directory import read_results


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return samplerbench.run(
        methods=["ddim", "flow"], steps=2, samples=80, batch_size=80, timing=False, output=folder / "run"
    )


def test_a_run_returns_its_rows_with_the_documented_columns(frame):
    assert list(frame.columns)[: len(NAMES)] == NAMES
    assert {"novelty", "trajectory_rmse", "inception_score", "fid_inf"} < set(frame.columns)
    assert frame["method"].tolist() == ["ddim", "flow"]
    assert (frame["status"] == "ok").all()
    assert frame["nfe"].tolist() == [2, 2]
    assert (frame["fid"] > frame["fid_floor"]).all()


def test_the_run_directory_holds_the_same_rows_and_a_report(frame):
    folder = Path(frame.attrs["output"])
    pd.testing.assert_frame_equal(read_results(folder), frame)
    assert {"results.csv", "run.json", "report.md", "report.html", "pictures", "raw"} <= {
        path.name for path in folder.iterdir()
    }


def test_wrong_input_is_an_input_error():
    with pytest.raises(samplerbench.InputError, match="--steps must be 1 or more"):
        samplerbench.run(methods="ddim", steps=0)


def test_it_runs_beside_folders_of_the_same_names(tmp_path):
    """A user's own models/, methods/ and bench/ must not be mistaken for ours."""
    for name in ("models", "methods", "bench"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the wrong package')")
    (tmp_path / "script.py").write_text(
        "from samplerbench import run\n"
        "frame = run(methods='ddim', steps=1, samples=70, timing=False, output='out')\n"
        "print(frame['status'].item())\n"
    )
    for command in (["script.py"], ["-m", "samplerbench", "list", "grids"]):
        done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    assert "uniform" in done.stdout
    assert (tmp_path / "out" / "results.csv").exists()


@pytest.mark.parametrize("given", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}], ids=str)
def test_openmp_threads_do_not_spin_unless_the_user_says_so(given):
    chosen = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    environment = {key: value for key, value in os.environ.items() if key not in chosen}
    code = f"import os, samplerbench; print({{k: v for k, v in os.environ.items() if k in {chosen}}})"
    printed = subprocess.run([sys.executable, "-c", code], env=environment | given, capture_output=True, text=True)
    assert printed.stdout.strip() == str(given or {"GOMP_SPINCOUNT": "1000"})
