"""`bench run SUITE`."""

import hashlib
import json
from pathlib import Path

from samplerbench.store.run_directory import read_results

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
