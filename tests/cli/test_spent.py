"""The line on where the time went, and `bench run --profile`."""

import gzip
import json
import re
import time
from pathlib import Path

import pandas as pd
import pytest

from samplerbench.cli.spent import time_line
from samplerbench.store.sessions import read_facts
from samplerbench.store.stored_rows import read_results

RUN = ["run", "--methods", "flow", "--steps", "2", "--samples", "80", "--batch-size", "40"]


@pytest.fixture(autouse=True)
def _young(monkeypatch):
    """The process has just started: that of the tests is older than the command."""
    monkeypatch.setattr("samplerbench.cli.run.process_age", lambda: 0.5)


def test_the_largest_part_is_first_and_small_ones_are_together():
    first = {"network": 60.0, "features": 5.2, "other": 0.2, "files": 0.3}
    second = {"network": 33.4, "features": 0.5, "noise": 0.4}
    assert time_line([first, second]) == "Time: 100 s: network 93 %, features 6 %, the rest 1 %"
    assert time_line([{"loading": 2.0, "other": 0.001}]) == "Time: 2.0 s: loading 100 %"


def test_the_line_fits_a_terminal():
    parts = "network,bare forwards,start-up,warm-up,statistics,loading,report".split(",")
    line = time_line([{part: 30.0 - at for at, part in enumerate(parts)}])
    assert line == "Time: 189 s: network 16 %, bare forwards 15 %, start-up 15 %, the rest 54 %"
    assert len(line) <= 80 < len(line.replace("the rest", "warm-up 14 %, the rest"))


def test_the_parts_of_a_command_sum_to_its_time_and_are_those_of_its_line(invoke):
    began = time.perf_counter()
    result = invoke(*RUN, "--output", "run")
    took = time.perf_counter() - began + 0.5
    seconds = read_facts(Path("run"))["sessions"][0]["seconds"]
    assert sum(seconds.values()) == pytest.approx(took, rel=0.05)
    assert seconds["start-up"] >= 0.5
    parts = "loading network sampler noise features statistics files report other".split()
    assert all(seconds[part] > 0 for part in [*parts, "bare forwards", "warm-up"])
    line = result.stderr.splitlines()[-1]
    assert float(re.match(r"Time: ([\d.]+) s", line)[1]) == pytest.approx(took, rel=0.05)
    largest = max(seconds, key=seconds.get)
    assert f" s: {largest} {seconds[largest] / sum(seconds.values()):.0%}"[:-1] in line

    assert "already measured" in (again := invoke(*RUN, "--output", "run")).stderr
    assert again.stderr.splitlines()[-1].startswith("Time: "), "also where nothing was left to measure"
    assert [each["seconds"] for each in read_facts(Path("run"))["sessions"]] == [seconds]


def test_each_sweep_of_a_suite_has_its_own_parts_and_the_line_has_all(invoke):
    runs = (f'[[run]]\nname = "{name}"\nmethods = "{name}"' for name in ("ddim", "flow"))
    Path("mine.toml").write_text("\n".join(["timing = false\nsamples = 70\nsteps = 1", *runs]))
    result = invoke("run", "mine.toml", "--output", "out")
    found = [read_facts(Path("out", name))["sessions"][0]["seconds"] for name in ("ddim", "flow")]
    assert ["start-up" in each for each in found] == [True, False]
    assert ["report" in each for each in found] == [False, True]
    total = sum(sum(each.values()) for each in found)
    assert float(re.search(r"\nTime: ([\d.]+) s", result.stderr)[1]) == pytest.approx(total, rel=0.02, abs=0.06)


def test_a_profile_is_a_trace_and_changes_no_result(invoke):
    plain = invoke(*RUN, "--output", "plain", "--no-timing")
    result = invoke(*RUN, "--output", "profiled", "--no-timing", "--profile")
    assert (plain.exit_code, result.exit_code) == (0, 0), result.output
    ours, theirs = (read_results(Path(run)).drop(columns=["utc", "command"]) for run in ("profiled", "plain"))
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    (cell,) = ours["cell"]
    lines = result.stderr.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("Profile of flow 2 steps"))
    assert lines[place].endswith(f"one batch of 40: profiled/profile/{cell}.json.gz")
    table = [re.fullmatch(r" *([\d.]+) +\d+ % +\d+  (\S+)", line) for line in lines[place + 2 : place + 12]]
    milliseconds = [float(row[1]) for row in table]
    assert milliseconds == sorted(milliseconds, reverse=True)
    assert any("convolution" in row[2] for row in table)
    trace = json.loads(gzip.decompress(Path("profiled/profile", f"{cell}.json.gz").read_bytes()))
    assert {row[2] for row in table} <= {event["name"] for event in trace["traceEvents"]}
    assert read_facts(Path("profiled"))["sessions"][0]["seconds"]["profile"] > 0
    assert not Path("plain/profile").exists()


def test_a_profile_of_nothing_is_refused(invoke):
    quick = [*RUN, "--output", "run", "--no-timing", "--profile"]
    assert invoke(*RUN, "--output", "run", "--no-timing").exit_code == 0
    result = invoke(*quick)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: --profile has no effect, since no cell is left to sample: choose another --output."
    )
    result = invoke(*quick, "--dry-run")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: --profile has no effect with --dry-run")


def test_exact_data_is_profiled(invoke):
    command = "run --dataset mixture --methods flow --steps 2 --samples 100 --no-timing --output run --profile"
    result = invoke(*command.split())
    assert result.exit_code == 0, result.output
    assert "Profile of flow 2 steps" in result.stderr
