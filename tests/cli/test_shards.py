"""`bench run --shard`, `bench status` and the merge: an array job in one process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from samplerbench.store.columns import CELL_OF_RUN, empty_frame, to_csv
from samplerbench.store.stored_rows import read_results
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session

OPTIONS = {"data": "mixture", "methods": "ddim,heun,flow[solver=dopri5],knowledge", "steps": "1,3"}
OPTIONS |= {"samples": 60, "batch_size": 60}
SWEEP = ["run", *(word for name, value in OPTIONS.items() for word in (f"--{name.replace('_', '-')}", value))]
NEW = ["commit", "utc"]  # of every measurement


def rows_of(folder: str):
    rows = read_results(Path(folder)).drop(columns=NEW)
    return rows.sort_values(CELL_OF_RUN, ignore_index=True)


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    """Pictures take half a second each time."""
    monkeypatch.setattr("samplerbench.report.write._draw", lambda *_: {})


def measure(output: str, shard: str | None = None) -> None:
    """`bench run` without its report, which takes a second."""
    for _ in Session(Sweep(**OPTIONS, output=output, shard=shard)).execute():
        pass


def test_three_shards_merged_are_the_serial_run(invoke):
    measure("serial")
    for index in (1, 2):
        measure("out", f"{index}/3")
    status = invoke("status", "out")
    assert status.stdout.splitlines()[-1] == "Not among these runs of out: shard 3 of 3."
    folders = sorted(map(str, Path("out").iterdir()))
    assert "Not among these runs of out: shard 3 of 3." in invoke("report", *folders, "--format", "markdown").stderr

    planned = invoke(*SWEEP, "--output", "out", "--shard", "3/3", "--dry-run").stdout
    assert invoke(*SWEEP, "--output", "out", "--shard", "3/3").exit_code == 0
    assert f"cells: {len(read_results(Path('out/shard-3-of-3')))}, of which" in planned

    folders = sorted(map(str, Path("out").iterdir()))
    parts = [set(read_results(Path(folder))["cell"]) for folder in folders]
    assert all(parts)
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(read_results(Path("serial")))
    assert invoke("report", *folders, "--output", "whole").exit_code == 0
    assert rows_of("whole").equals(rows_of("serial")), "to the last bit"
    assert invoke("compare", "serial", "whole").exit_code == 0
    serial, whole = (json.loads(Path(name, "run.json").read_text()) for name in ("serial", "whole"))
    assert serial["schema"] == whole["schema"] == 2

    lines = invoke("status", "out", "serial").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["state", *["finished"] * 4, "total"]
    cells = len(serial["planned"])
    assert lines[-2].split()[1:5] == [str(cells - 1), "0", "1", "0"], "knowledge is skipped"
    assert lines[-1].split()[1:5] == [str(2 * cells - 2), "0", "2", "0"]


def test_a_shard_without_cells_is_an_empty_run(invoke):
    measure("serial")
    result = invoke(*SWEEP, "--methods", "ddim", "--output", "out", "--shard", "3/3")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == ("Shard 3/3 has no cells, since there are more shards than cells."), (
        "one sentence, and no report"
    )
    assert read_results(Path("out/shard-3-of-3")).empty
    whole = invoke("report", "out/shard-3-of-3", "serial", "--format", "markdown")
    assert (whole.exit_code, whole.stdout.count("| ddim ")) == (0, 2)


@pytest.mark.parametrize("shard", ["4/3", "0/3", "x", "1/0"])
def test_a_wrong_shard_is_one_sentence(invoke, shard):
    result = invoke(*SWEEP, "--shard", shard)
    assert result.exit_code == 2
    assert result.output.startswith("Error: --shard takes I/N")
    assert len(result.output.splitlines()) == 1


def test_the_shards_of_a_suite_are_below_each_of_its_sweeps(invoke):
    Path("two.toml").write_text(
        'data = "mixture"\nsamples = 60\nsteps = [1, 2]\n'
        '[[run]]\nname = "one"\nmethods = "ddim"\n[[run]]\nname = "two"\nmethods = "flow"\n'
    )
    for index in (1, 2):
        assert invoke("run", "two.toml", "--output", "out", "--shard", f"{index}/2").exit_code == 0
    folders = sorted(map(str, Path("out").glob("*/shard-*")))
    assert len(folders) == 4
    assert invoke("report", *folders, "--output", "whole").exit_code == 0
    assert len(read_results(Path("whole"))) == 4
    assert Path("out/report-shard-1-of-2/report.html").exists()
    assert len(invoke("status", "out").stdout.splitlines()) == 6, "not the reports"


def test_status_needs_no_torch_and_refuses_what_is_no_run(invoke):
    result = invoke("status", "nothing")
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    Path("run").mkdir()
    Path("run/results.csv").write_text(to_csv(empty_frame()))
    code = "import sys\nfrom samplerbench.cli.main import main\nmain(['status', 'run'], standalone_mode=False)\n"
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    assert done.stdout.splitlines()[1].split()[0] == "finished"
