"""What a run measures of distilled students: what their training cost, and how far they are from their teacher."""

import json
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.cost import Cost, read_cost
from bench.results import load as load_results
from bench.sentences import reading
from bench.table import compact, table
from models import Checkpoint, CheckpointError, load, save, shipped

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


# What it cost


def test_the_cost_is_in_the_row_and_in_the_table_where_there_is_a_student():
    make_student()
    frame = bench.run(methods="flow", recipe="ot_flow", metrics="fid", output="student", **QUICK)
    row = frame.iloc[0]
    assert (row["teacher"], row["train_iterations"], row["teacher_nfe"]) == ("flow", 12_500, 1_234_567)
    assert row["train_seconds"] == 81.5
    results = load_results(Path("student"))
    shown = table(results).loc[0]
    assert shown[["teacher", "training (it.)", "teacher NFE", "training (s)"]].tolist() == [
        "flow", "12.5k", "1.23M", "81.5",
    ]  # fmt: skip
    assert any("is not in them" in line for line in reading(results, table(results)))

    frame = bench.run(methods="flow,ddim", metrics="fid", output="ordinary", **QUICK)
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
        bench.run(methods="flow", recipe="ot_flow", output="run", **QUICK)
    assert not Path("run").exists()


def test_counts_are_short():
    counts = {0: "0", 800: "800", 999: "999", 1000: "1k", 12_500: "12.5k", 999_999: "1M", 1_234_567: "1.23M", 2e9: "2G"}
    assert [compact(count) for count in counts] == [*counts.values()]
    assert compact(float("nan")) == ""
