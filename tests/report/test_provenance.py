"""Where the numbers of a report come from."""

import json

from samplerbench.report.provenance import commands, joined, origin
from samplerbench.store.results import load


def test_every_cell_has_the_command_that_its_row_recorded(tmp_path, write_run, cell, bench_report):
    line = "bench run --methods 'ddim[eta=0.5]' --steps 10"
    rows = [
        cell("ddim", 5.0, options="eta=0.5", command=line),
        cell("dopri5", 5.0) | {"steps": None, "command": "bench run --methods dopri5"},
        cell("old", 6.0, command=""),
        cell("skipped", float("nan"), status="skipped", command="bench run --methods skipped"),
    ]
    results = load(write_run(tmp_path, *rows))
    assert commands(results.rows) == [("ddim[eta=0.5], 10 steps", line), ("dopri5", "bench run --methods dopri5")]
    assert bench_report(tmp_path).exit_code == 0
    assert (
        f"few commands as possible:\n\n    {line}\n    bench run --methods dopri5\n"
        in (tmp_path / "report.md").read_text()
    )
    assert (
        "<pre tabindex='0'>bench run --methods &#39;ddim[eta=0.5]&#39; --steps 10</pre>"
        in (tmp_path / "report.html").read_text()
    )


def test_the_origin_of_a_run_is_told_in_words(tmp_path, write_run, cell):
    write_run(tmp_path, cell("a", 5.0))
    facts = origin(json.loads((tmp_path / "run.json").read_text()) | {"commit": ""})
    assert facts["commit"] == "unknown"
    assert facts["weights of ddpm"] == "shipped 123"
    assert facts["packages"] == "samplerbench 0.1.0"
    assert facts["seeds"] == "0-4"
    assert facts["number of reference images"] == "797"


def test_a_run_in_several_sessions_has_the_commands_of_all(tmp_path, write_run, cell):
    write_run(tmp_path, cell("a", 5.0))
    facts = json.loads((tmp_path / "run.json").read_text())
    session = {"command": "bench run --methods a", "commit": "c", "utc": "2026-01-01T00:00:00+00:00"}
    later = {"command": "bench run --methods b", "commit": "d+", "utc": "2026-02-02T00:00:00+00:00"}
    found = origin(facts | {"sessions": [session, later, later]})
    assert found["command"] == "bench run --methods a; bench run --methods b"
    assert found["commit"] == "c, d+"
    assert found["started"] == session["utc"]


def test_commands_that_differ_in_method_and_steps_are_joined_into_exactly_their_cells():
    lines = [f"bench run --methods {method} --steps {steps} --seeds 0-4" for method in ("a", "b") for steps in (1, 2)]
    lines += ["bench run --methods 'c[eta=0.5]' --steps 1 --seeds 0-4", "bench run --methods d --seeds 0-4"]
    lines += ["bench run --methods a --steps 1 --guidance 2 --seeds 0-4"]
    assert joined(lines) == [
        "bench run --methods a,b --steps 1,2 --seeds 0-4",
        "bench run --methods 'c[eta=0.5]' --steps 1 --seeds 0-4",
        "bench run --methods d --seeds 0-4",
        "bench run --methods a --steps 1 --guidance 2 --seeds 0-4",
    ]
