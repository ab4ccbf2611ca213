"""`samplerbench.run`, as a user calls it."""

import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
import torch

import samplerbench
from samplerbench.methods import get
from samplerbench.store.columns import NAMES
from samplerbench.store.stored_rows import read_results
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep


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


def test_the_signature_is_that_of_the_command_line():
    parameters = inspect.signature(samplerbench.run).parameters
    assert {name: each.default for name, each in parameters.items()} == {
        field.name: field.default for field in fields(Sweep)
    }


def test_a_run_is_loaded_and_reported_again(frame):
    folder = Path(frame.attrs["output"])
    results = samplerbench.load(folder)
    pd.testing.assert_frame_equal(results.rows[frame.columns], frame)
    first = results.arrays(frame["cell"][0])
    assert first["images"].shape == (16, 1, 8, 8)
    assert first["fid"].tolist() == [pytest.approx(frame["fid"][0])]
    with pytest.raises(samplerbench.InputError, match="No row has the cell 'x'"):
        results.arrays("x")
    (folder / "report.html").unlink()
    assert samplerbench.report(str(folder)) == folder / "report.html"
    assert (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timing": "no"}, "timing is True or False, not 'no'"),
        ({"samples": 80.5}, "--samples takes whole numbers"),
        ({"dataset": 3}, "--dataset takes a name, not 3"),
        ({"batch_size": "many"}, "--batch-size takes a whole number or auto"),
        ({"seeds": []}, "--seeds is empty"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_an_input_error(options, message):
    with pytest.raises(samplerbench.InputError, match=message):
        samplerbench.run("ddim", **options)


def test_single_values_paths_and_objects_are_taken_as_they_are(tmp_path):
    checked = normalise(
        Sweep(
            get("ddim[eta=0.5]"),
            steps=3,
            seeds=2,
            guidance=2,
            batch_size="8",
            output=tmp_path,
            weights=tmp_path,
            device=torch.device("cpu"),
            dtype=torch.float32,
            metrics="fid",
        )
    )
    assert (checked.methods, checked.steps, checked.seeds) == (("ddim[eta=0.5]",), (3,), (2,))
    assert (checked.guidance, checked.batch_size, checked.output) == (("2",), 8, str(tmp_path))
    assert (checked.device, checked.dtype, checked.weights) == ("cpu", "float32", str(tmp_path))


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
    assert printed.stdout.strip() == str(given or {"GOMP_SPINCOUNT": "10000"})


@pytest.mark.skipif(sys.platform != "linux", reason="torch brings libgomp on Linux only")
def test_libgomp_itself_reads_the_setting():
    """It does so once, as torch loads it."""
    environment = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    environment["OMP_DISPLAY_ENV"] = "VERBOSE"
    shown = subprocess.run(
        [sys.executable, "-c", "import samplerbench.methods"], env=environment, capture_output=True, text=True
    )
    assert "GOMP_SPINCOUNT = '10000'" in shown.stderr
