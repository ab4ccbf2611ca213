"""`bench plan`."""

from pathlib import Path

import numpy as np
import pytest

SUITE = """
samples = 70
batch_size = 70
seeds = "0-1"
timing = false
[[run]]
name = "one"
methods = "ddim"
steps = 2
[[run]]
name = "two"
methods = ["flow", "knowledge"]
steps = [1, 3]
"""


def test_a_suite_is_planned_and_nothing_is_written(invoke, monkeypatch):
    monkeypatch.setattr("samplerbench.sampling.forecast.SPENT", 0.05)
    Path("mine.toml").write_text(SUITE)
    result = invoke("plan", "mine.toml", "--gpus", "1,3", "--price", "2")
    assert result.exit_code == 0, result.output
    assert [path.name for path in Path.cwd().iterdir()] == ["mine.toml"]
    lines = result.stdout.splitlines()
    assert lines[0] == "one:"
    assert lines[1:3] == ["cells: 1, of which 1 pending", "units: 2 (seed blocks of cells)"]
    assert "units: 6 (seed blocks of cells)" in lines, "knowledge has one step only"
    assert sum(line.startswith("rates: measured here, on cpu (") for line in lines) == 2
    assert sum(line.split() == "GPUs wall time efficiency start-up limited by cost".split() for line in lines) == 2
    assert all(", efficiency " in line and ", cost " in line for line in lines[-2:])
    assert [line.partition(":")[0] for line in lines[-2:]] == ["all 2 sweeps on 1 GPU", "all 2 sweeps on 3 GPUs"]


def test_the_seconds_of_a_run_give_time_efficiency_and_cost(invoke, cell, write_run, add_seconds):
    spent = {"start_up": 2.0, "loading": 3.0, "network": 51.2, "features": 6.797, "statistics": 2.5}
    row = cell("ddim", 5.0, steps=10, latency_s=np.nan, dtype="float32")
    run = add_seconds(write_run(Path("a100"), row, device="cuda:0 (A100)"), **spent)
    command = ["plan", "--methods", "ddim", "--steps", "10", "--seeds", "0-4", "--no-timing", "--rate", run]
    result = invoke(*command, "--gpus", "5,1", "--price", "3600")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "cells: 1, of which 1 pending",
        "units: 5 (seed blocks of cells)",
        "work: about 59 s on one GPU",
        "longest unit: about 12 s (ddim 10 steps)",
        "rates: recorded in a100, on cuda:0 (A100), 256 images at a time",
        "",
        "GPUs  wall time        efficiency  start-up    limited by      cost",
        "   5  about 24 s           49.9 %  about 12 s  longest unit  117.69",
        "   1  about 1 min 6 s      89.6 %  about 7 s   start-up       65.50",
    ]
    timed = invoke(*(word for word in command if word != "--no-timing"), "--gpus", "5")
    assert "timing: about 14 s more, cell by cell on one GPU that does nothing else" in timed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--gpus is missing"),
        (["--price", "2"], "--gpus is missing"),
        (["--gpus", "0"], "--gpus must be 1 or more, not 0."),
        (["--gpus", "many"], "--gpus takes whole numbers"),
        (["--gpus", "999999"], "--gpus must be at most 100000"),
        (["--gpus", "2", "--price", "-1"], "--price is that of a GPU for an hour, above 0, and not -1."),
        (["--gpus", "2", "--no-quality", "--methods", "ddim"], "--no-quality leaves no units to share out"),
        (["--gpus", "2", "--methods", "ddim", "--rate", "no.csv"], "'no.csv' has no readable run.json"),
    ],
)
def test_wrong_input_is_one_sentence(invoke, words, message):
    result = invoke("plan", *words)
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert message in result.stderr
