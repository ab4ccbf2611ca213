"""Runs of distilled students: the cost of their training, their distance from their teacher, what is kept of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import samplerbench
from samplerbench.data.dataset import to_uint8
from samplerbench.errors import InputError
from samplerbench.methods import Sampler, get, get_guidance
from samplerbench.models import CheckpointError, load, save, shipped
from samplerbench.report.table import table
from samplerbench.report.text import reading
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.store.raw import read_raw, teacher_stem
from samplerbench.store.results import load as load_results
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session

QUICK = {"samples": 80, "batch_size": 80, "steps": "2", "timing": False}
DISTANCE = QUICK | {"metrics": "trajectory_rmse,teacher_distance", "samples": 8, "batch_size": 8}
OWN = Path("checkpoints")

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def few(monkeypatch):
    """As many images as it takes to tell near from far, and a solution as fine as that takes."""
    monkeypatch.setattr("samplerbench.sampling.reference.IMAGES", 4)
    monkeypatch.setattr("samplerbench.sampling.reference.FINE", "pf_ode[solver=dopri5,rtol=0.0001,atol=0.0001]")


def test_the_cost_is_in_the_row_and_in_the_table_where_there_is_a_student(few, make_student):
    make_student(OWN)
    row = samplerbench.run(methods="flow", recipe="ot_flow", metrics="fid", output="student", **QUICK).iloc[0]
    assert (row["teacher"], row["train_iterations"], row["teacher_nfe"]) == ("flow", 12_500, 1_234_567)
    assert row["train_seconds"] == 81.5
    results = load_results(Path("student"))
    shown = table(results).loc[0]
    assert shown[["teacher", "training (it.)", "teacher NFE", "training (s)"]].tolist() == [
        "flow", "12.5k", "1.23M", "81.5",
    ]  # fmt: skip
    assert any("Excludes the root **teacher**'s own training" in line for line in reading(results, table(results)))

    frame = samplerbench.run(methods="flow,ddim", metrics="fid", output="ordinary", **QUICK)
    assert frame["train_iterations"].tolist() == [5000, 5000], "what older checkpoints record"
    assert frame["teacher"].tolist() == ["", ""]
    assert frame[["train_seconds", "teacher_nfe"]].isna().all(axis=None)
    results = load_results(Path("ordinary"))
    assert not any("training" in heading for heading in table(results)), "equal costs are not worth a column"
    longer = results.rows.assign(train_iterations=pd.array([5000, 20_000], "Int64"))
    assert "training (it.)" in table(type(results)(results.folder, longer, results.facts))


@pytest.mark.parametrize("damaged", ["{", "3", "{}", "[]", json.dumps({"seconds": -1}), '{"iterations": null}'])
def test_a_damaged_cost_is_an_error_before_anything_runs(damaged, make_student):
    make_student(OWN, cost=damaged)
    with pytest.raises(CheckpointError, match=r"ot_flow.safetensors holds no valid training cost \(its cost is"):
        samplerbench.run(methods="flow", recipe="ot_flow", output="run", **QUICK)
    assert not Path("run").exists()


def test_a_run_compares_a_student_with_its_teacher(few, make_student):
    make_student(OWN)
    options = DISTANCE | {"steps": "1,16"}
    frame = samplerbench.run(methods="flow[solver=rk4],euler_ancestral", recipe="ot_flow", **options)
    assert (frame["status"] == "ok").all(), frame["error"].tolist()
    coarse, fine, *_ = frame["teacher_rmse"]
    assert 0 < fine < 0.01 < 0.1 < coarse
    for column in ("teacher_rmse", "teacher_feature_distance"):  # a single ancestral step draws no noise, several do
        assert frame[column].isna().tolist() == [False, False, False, True]
    assert frame["trajectory_rmse"].isna().all(), "a student follows no ODE of its own"
    text = " ".join(Path(frame.attrs["output"], "report.md").read_text().split())
    assert "| teacher RMSE | teacher distance (digits-cnn) |" in text
    assert "divided by the mean distance between two real images; 1 means no closer than chance." in text


def test_the_users_own_teacher_is_part_of_the_cell_where_it_is_compared_with(few, make_student):
    make_student(OWN)
    sweep = Sweep(methods="flow", recipe="ot_flow", output="run", **DISTANCE)
    own, before = OWN / "digits" / "flow.safetensors", key_of(sweep)
    weak = load(shipped("digits", "flow-weak"))
    save(own, weak.weights, weak.metadata)
    session = Session(sweep)
    student = session.prepared.networks["ot_flow"].origin.source
    assert student == "checkpoints/digits/ot_flow.safetensors"
    assert session.prepared.networks["ot_flow"].teacher.origin.source == "checkpoints/digits/flow.safetensors"
    assert key_of(sweep) != before
    assert session.facts()["checkpoints"]["flow"].startswith("checkpoints/digits/flow.safetensors ")
    plain = [replace(sweep, metrics="trajectory_rmse", weights=folder) for folder in ("checkpoints", None)]
    first, second = map(key_of, plain)
    own.unlink()
    assert first == second == key_of(plain[0]), "a metric that does not depend on it"


def key_of(sweep: Sweep) -> str:
    session = Session(sweep)
    return cell_key(session.jobs[0], session.prepared)


def test_a_missing_teacher_is_an_error_where_it_is_needed_and_no_obstacle_elsewhere(make_student):
    make_student(OWN, origin="edm")
    with pytest.raises(InputError, match=r"teacher_distance needs the teacher of ot_flow\. .*`bench train edm "):
        samplerbench.run(methods="flow", recipe="ot_flow", output="run", **DISTANCE)
    assert not Path("run").exists()
    row = samplerbench.run(methods="flow", recipe="ot_flow", **QUICK | {"metrics": "fid"}).iloc[0]
    assert (row["status"], row["teacher"]) == ("ok", "edm")


def test_the_teachers_images_of_the_same_noise_are_kept_for_each_guidance(monkeypatch, make_student, flow_network):
    monkeypatch.setattr("samplerbench.sampling.reference.FINE", "pf_ode[solver=dopri5,rtol=0.001,atol=0.001]")
    make_student(OWN)
    options = QUICK | {"samples": 16, "batch_size": 16, "guidance": "1,2", "seeds": "3,4", "metrics": "fid"}
    samplerbench.run(methods="flow", recipe="ot_flow", output="run", **options)
    for weight in ("1", "2"):
        images = read_raw(Path("run"), teacher_stem("flow", weight))["images"]
        sampler = Sampler(get("flow[solver=rk4]"), 16, guidance=get_guidance(weight))
        expected = to_uint8(generate(sampler, flow_network, ImageNoise(3, range(16))).images).numpy()
        assert np.abs(images.astype(int) - expected).mean() < 1, "of 256 levels"
