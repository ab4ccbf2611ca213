"""What a run measures of distilled students: what their training cost, and how far they are from their teacher."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import samplerbench
from samplerbench.data.datasets import DATASETS, to_uint8
from samplerbench.errors import InputError
from samplerbench.methods import get, get_guidance, get_recipe
from samplerbench.metrics.teacher_distance import teacher_distance
from samplerbench.models import Checkpoint, CheckpointError, UNet, UNetConfig, load, save, shipped
from samplerbench.networks.backbone import load_backbone
from samplerbench.networks.training_cost import Cost, read_cost
from samplerbench.report import write as report
from samplerbench.report.gallery import gallery
from samplerbench.report.table import compact, table
from samplerbench.report.text import reading
from samplerbench.sampling.measure import Gauge, generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.store.results import load as load_results
from samplerbench.sweep.plan import Job, Sweep
from samplerbench.sweep.session import Session

QUICK = {"samples": 80, "batch_size": 80, "steps": "2", "timing": False}
COST = {"iterations": 12_500, "seconds": 81.5, "teacher_nfe": 1_234_567}
STUDENT = {"recipe": "ot_flow", "teacher": "flow", "origin": "flow", "cost": json.dumps(COST)}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_student(weights: str = "flow", **metadata: str) -> None:
    """The shipped weights again as those of a student, which `ot_flow` reads as `flow` does."""
    origin = load(shipped("digits", weights))
    save(Path("checkpoints/digits/ot_flow.safetensors"), origin.weights, origin.metadata | STUDENT | metadata)


@pytest.fixture
def few(monkeypatch):
    """As many images as it takes to tell near from far, and a solution as fine as that takes."""
    monkeypatch.setattr("samplerbench.sampling.reference.IMAGES", 4)
    monkeypatch.setattr("samplerbench.sampling.reference.FINE", "pf_ode[solver=dopri5,rtol=0.0001,atol=0.0001]")


# What it cost


def test_the_cost_is_in_the_row_and_in_the_table_where_there_is_a_student(few):
    make_student()
    frame = samplerbench.run(methods="flow", recipe="ot_flow", metrics="fid", output="student", **QUICK)
    row = frame.iloc[0]
    assert (row["teacher"], row["train_iterations"], row["teacher_nfe"]) == ("flow", 12_500, 1_234_567)
    assert row["train_seconds"] == 81.5
    results = load_results(Path("student"))
    shown = table(results).loc[0]
    assert shown[["teacher", "training (it.)", "teacher NFE", "training (s)"]].tolist() == [
        "flow", "12.5k", "1.23M", "81.5",
    ]  # fmt: skip
    assert any("is not in them" in line for line in reading(results, table(results)))

    frame = samplerbench.run(methods="flow,ddim", metrics="fid", output="ordinary", **QUICK)
    assert frame["train_iterations"].tolist() == [5000, 5000], "what older checkpoints tell"
    assert frame["teacher"].tolist() == ["", ""]
    assert frame[["train_seconds", "teacher_nfe"]].isna().all(axis=None)
    results = load_results(Path("ordinary"))
    assert not any("training" in heading for heading in table(results)), "equal costs tell nothing"
    longer = results.rows.assign(train_iterations=pd.array([5000, 20_000], "Int64"))
    assert "training (it.)" in table(type(results)(results.folder, longer, results.facts))


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, Cost()),
        ({"iterations": "5000"}, Cost("", 5000)),
        ({"cost": json.dumps(COST), "iterations": "500", "origin": "flow"}, Cost("flow", 12_500, 81.5, 1_234_567)),
    ],
)
def test_a_checkpoint_tells_what_it_knows_of_its_cost(metadata, expected):
    assert read_cost(Checkpoint(Path("x"), {}, metadata, "")) == expected


@pytest.mark.parametrize("damaged", ["{", "3", "{}", "[]", json.dumps(COST | {"seconds": -1}), '{"iterations": null}'])
def test_a_damaged_cost_is_one_sentence_before_anything_runs(damaged):
    make_student(cost=damaged)
    with pytest.raises(
        CheckpointError, match=r"ot_flow.safetensors does not tell what its training cost \(its cost is"
    ):
        samplerbench.run(methods="flow", recipe="ot_flow", output="run", **QUICK)
    assert not Path("run").exists()


def test_counts_are_short():
    counts = {0: "0", 800: "800", 999: "999", 1000: "1k", 12_500: "12.5k", 999_999: "1M", 1_234_567: "1.23M", 2e9: "2G"}
    assert [compact(count) for count in counts] == [*counts.values()]
    assert compact(float("nan")) == ""


# How far it is from its teacher


DISTANCE = QUICK | {"metrics": "trajectory_rmse,teacher_distance", "samples": 8, "batch_size": 8}


def test_a_student_that_is_its_teacher_is_at_no_distance_once_it_is_solved_finely(few):
    make_student()
    student = samplerbench.run(methods="flow[solver=rk4]", recipe="ot_flow", **DISTANCE | {"steps": "1,16"})
    ordinary = samplerbench.run(methods="flow[solver=rk4]", **DISTANCE | {"steps": "1,16"})
    coarse, fine = student["teacher_rmse"]
    assert 0 < fine < 0.01
    assert coarse > 0.1
    coarse, fine = student["teacher_feature_distance"]
    assert 0 <= fine < 0.05, "a pixel or two are rounded otherwise"
    assert coarse > 0.2
    for column in ("teacher_rmse", "teacher_feature_distance"):
        assert student[column].tolist() == pytest.approx(ordinary[column].tolist(), rel=1e-4)
    assert ordinary["teacher_rmse"].tolist() == ordinary["trajectory_rmse"].tolist(), "it is its own teacher"
    assert student["trajectory_rmse"].isna().all(), "a student follows no ODE of its own"
    text = " ".join(Path(student.attrs["output"], "report.md").read_text().split())
    assert "| teacher RMSE | teacher distance (digits-cnn) |" in text
    assert "two arbitrary real images; 1: no nearer." in text


def test_images_of_other_noise_and_labels_are_as_far_as_two_real_images(monkeypatch, real):
    monkeypatch.setattr("samplerbench.sampling.reference.IMAGES", 64)
    backbone = load_backbone("flow", DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    job = Job(get("flow"), "flow", "uniform", 16)
    noise = ImageNoise(1, range(64))
    other, *_ = generate(job, backbone, noise, Gauge())
    monkeypatch.setattr("samplerbench.sampling.reference.solution", lambda *_: other)
    rmse, distance = teacher_distance(job, backbone, 0, real)
    assert 0.9 < distance < 1.1
    assert teacher_distance(job, backbone, 1, real) == (0, 0)
    assert rmse > 0.5
    differences = (real.reference[:, None] - real.reference[None]).norm(dim=2)
    expected = differences.sum() / (len(differences) * (len(differences) - 1))
    assert real.unpaired_distance == pytest.approx(expected.item(), rel=1e-9)


def test_there_is_no_distance_for_samplers_that_draw_noise_nor_without_a_teacher(few, monkeypatch):
    monkeypatch.setattr("samplerbench.sampling.reference.FINE", "pf_ode")  # one step
    make_student()
    one, two = samplerbench.run(methods="euler_ancestral,flow", recipe="ot_flow", **DISTANCE)["teacher_rmse"]
    assert pd.isna(one)
    assert two > 0
    make_student(origin="", teacher="")
    monkeypatch.setattr(type(get_recipe("ot_flow")), "student", True)
    frame = samplerbench.run(methods="flow", recipe="ot_flow", **DISTANCE)
    assert frame[["teacher_rmse", "teacher_feature_distance", "trajectory_rmse"]].isna().all(axis=None)


def test_teacher_and_student_each_start_from_the_spread_of_their_own_path(few, monkeypatch):
    """The teacher's path ends in noise of standard deviation 50, the student's in 1: both get the same numbers."""
    monkeypatch.setattr("samplerbench.sampling.reference.FINE", "pf_ode")  # one step
    digits = DATASETS.get("digits")
    ve = get_recipe("ve")
    teacher = replace(
        load_backbone("ddpm", digits, None, torch.device("cpu"), torch.float32, False), path=ve.path, recipe=ve
    )
    student = load_backbone("flow", digits, None, torch.device("cpu"), torch.float32, False)
    student = replace(student, teacher=teacher, cost=Cost("ve"))
    seen = []
    teacher.unet.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    student.unet.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    nowhere = SimpleNamespace(extractor=lambda images: images.flatten(1).double(), unpaired_distance=1.0)
    teacher_distance(Job(get("flow"), "flow", "uniform", 1), student, 0, nowhere)
    torch.testing.assert_close(seen[1] / seen[0], torch.full_like(seen[0], ve.path.prior_std))


def test_the_teacher_is_the_users_own_before_the_shipped_one_and_part_of_the_cell(few):
    make_student()
    sweep = Sweep(methods="flow", recipe="ot_flow", output="run", **DISTANCE)
    job, shipped_one = Session(sweep).jobs[0], Session(sweep)
    own = load(shipped("digits", "flow-weak"))
    save(Path("checkpoints/digits/flow.safetensors"), own.weights, own.metadata)
    own_one = Session(sweep)
    assert own_one.backbones["ot_flow"].teacher.source == "checkpoints/digits/flow.safetensors"
    assert own_one.cell(job) != shipped_one.cell(job)
    assert own_one.facts()["checkpoints"]["flow"].startswith("checkpoints/digits/flow.safetensors ")
    plain = [replace(sweep, metrics="trajectory_rmse", weights=folder) for folder in ("checkpoints", None)]
    first, second = (Session(each).cell(job) for each in plain)
    Path("checkpoints/digits/flow.safetensors").unlink()
    assert first == second == Session(plain[0]).cell(job), "a figure that does not depend on it"


def test_a_missing_teacher_is_one_sentence_where_it_is_needed_and_no_obstacle_elsewhere():
    make_student(origin="edm")
    with pytest.raises(InputError, match=r"compares ot_flow with its teacher, which is gone\. .*`bench train edm "):
        samplerbench.run(methods="flow", recipe="ot_flow", output="run", **DISTANCE)
    assert not Path("run").exists()
    row = samplerbench.run(methods="flow", recipe="ot_flow", **QUICK | {"metrics": "fid"}).iloc[0]
    assert (row["status"], row["teacher"]) == ("ok", "edm")


def test_a_teacher_with_other_classes_is_refused():
    make_student()
    checkpoint = load(shipped("digits", "flow"))
    config = json.loads(checkpoint.metadata["architecture"]) | {"classes": 0}
    weights = UNet(UNetConfig(**config)).state_dict()
    metadata = checkpoint.metadata | {"architecture": json.dumps(config)}
    save(Path("checkpoints/digits/flow.safetensors"), weights, metadata)
    with pytest.raises(CheckpointError, match="other classes"):
        samplerbench.run(methods="flow", recipe="ot_flow", **DISTANCE)


# What it looks like


def test_the_teachers_images_of_the_same_noise_stand_above_the_students(few):
    make_student()
    options = DISTANCE | {"samples": 16, "batch_size": 16, "guidance": "1,2", "seeds": "3,4"}
    samplerbench.run(methods="flow", recipe="ot_flow", output="run", **options | {"metrics": "trajectory_rmse"})
    backbone = load_backbone("flow", DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    tiles = gallery(load_results(Path("run")))
    assert next(iter(tiles.lines)) == "teacher: flow"
    captions = [caption for caption, _ in tiles.lines["teacher: flow"]]
    assert captions == ["fine solution\nguidance 1", "fine solution\nguidance 2"]
    for weight, (_, images) in zip((1, 2), tiles.lines["teacher: flow"], strict=True):
        job = Job(get("flow[solver=rk4]"), "flow", "uniform", 16, guidance=get_guidance(f"cfg[weight={weight}]"))
        expected, *_ = generate(job, backbone, ImageNoise(3, range(16)), Gauge())
        assert np.abs(images.astype(int) - to_uint8(expected).numpy()).mean() < 1, "of 256 levels"
    report.write(Path("run"))
    assert "alt='teacher: flow, fine solution" in Path("run/report.html").read_text(), "from the run directory alone"


def test_there_is_no_line_for_a_teacher_that_is_gone_nor_for_ordinary_networks(few):
    make_student(origin="edm")
    for recipe in ("ot_flow", "flow"):
        samplerbench.run(methods="flow", recipe=recipe, output=recipe, **DISTANCE | {"metrics": "trajectory_rmse"})
        assert [*gallery(load_results(Path(recipe))).lines] == ["flow", "real images"]
