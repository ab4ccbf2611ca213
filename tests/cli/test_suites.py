"""`bench run SUITE`."""

import hashlib
import json
from pathlib import Path

import pytest

from samplerbench.cli.lines import duration
from samplerbench.store.stored_rows import read_results

SUITE = """
description = "Two sweeps of one protocol."
samples = 70
timing = false
batch_size = 70

[[run]]
name = "solvers"
methods = "ddim"
steps = 1

[[run]]
name = "others"
methods = ["flow", "knowledge"]
steps = [2]
"""


def test_the_sweeps_of_a_suite_are_measured_below_one_folder_into_one_report(invoke):
    Path("mine.toml").write_text(SUITE)
    command = ["run", "mine.toml", "--output", "out", "--batch-size", "35"]
    result = invoke(*command)
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    assert lines[0] == "solvers:"
    assert lines[2:4] == ["ddim 1 step, uniform done", "others:"]
    assert result.stdout.splitlines()[-1] == "Report: out/report/report.md, out/report/report.html"
    rows = read_results(Path("out/report"))
    assert rows["method"].tolist() == ["ddim", "flow", "knowledge"]
    assert rows["status"].tolist() == ["ok", "ok", "skipped"]
    assert rows["command"][0] == ("bench run --methods ddim --steps 1 --samples 70 --batch-size 35 --no-timing"), (
        "the command line overrides the suite"
    )
    recorded = {"name": "mine", "sha256": hashlib.sha256(SUITE.encode()).hexdigest()}
    for name in ("solvers", "others"):
        facts = json.loads(Path("out", name, "run.json").read_text())
        assert facts["suite"] == facts["sessions"][0]["suite"] == recorded
    assert "1 of 1 cells are already measured in out/solvers" in invoke(*command).stderr
    assert invoke("report", "out/solvers", "out/others", "--output", "again").exit_code == 0


def test_a_wrong_later_sweep_is_found_before_the_first_is_measured(invoke):
    Path("mine.toml").write_text(SUITE.replace("knowledge", "knowlege"))
    result = invoke("run", "mine.toml", "--output", "out")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "Error: mine.toml:14: No method is named 'knowlege'. Did you mean 'knowledge'?"
    ]
    assert not Path("out").exists()


def test_a_word_that_is_no_suite_is_explained(invoke):
    result = invoke("run", "ddim")
    assert result.exit_code == 2
    assert "No suite is named 'ddim'" in result.stderr
    assert "methods are named by --methods" in result.stderr


def test_a_dry_run_prints_the_cells_and_writes_nothing(invoke, monkeypatch):
    monkeypatch.setattr("samplerbench.sampling.forecast.SPENT", 0.1)
    Path("mine.toml").write_text(SUITE)
    before = set(Path.cwd().iterdir())
    result = invoke("run", "mine.toml", "--output", "out", "--dry-run")
    assert result.exit_code == 0, result.output
    assert set(Path.cwd().iterdir()) == before
    lines = result.stdout.splitlines()
    assert lines[:2] == ["solvers:", "state    steps  NFE  images  evaluations  seconds  method  grid"]
    state, *numbers, seconds, method, grid = lines[2].split()
    assert [state, *numbers, method, grid] == ["pending", "1", "1", "70", "70", "ddim", "uniform"]
    assert float(seconds) >= 0
    assert "cells: 2, of which 1 pending" in lines
    assert any(line.startswith("knowledge 2 steps skipped: ") for line in lines)
    assert "output: out/others" in lines
    assert lines[-1].startswith("all 2 sweeps: ")
    assert max(map(len, lines)) <= 100


def test_a_dry_run_finds_wrong_input_as_a_run_does(invoke):
    result = invoke("run", "--methods", "ddim", "--weights", "nowhere", "--dry-run")
    assert result.exit_code == 2
    assert "--weights 'nowhere' has no checkpoint" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "about 0 s"), (0.4, "less than a second"), (61, "about 1 min 1 s"), (3600, "about 1 h"),
     (59.9, "about 1 min"), (90061, "about 1 d 1 h")],
)  # fmt: skip
def test_durations_have_two_units(seconds, text):
    assert duration(seconds) == text
