import json
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from samplerbench.methods import METHODS, Method, register
from samplerbench.store.lock import Lock
from samplerbench.store.stored_rows import read_results

QUICK = ["--samples", "80", "--batch-size", "40", "--output", "run"]
ONE = ["run", "--methods", "ddim", "--steps", "1", *QUICK, "--no-timing"]


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_run_prints_and_writes_a_report_that_can_be_written_again(invoke):
    command = ["run", "--methods", "ddim,flow", "--steps", "2", *QUICK]
    result = invoke(*command)
    assert result.exit_code == 0, result.output
    assert "(digits-cnn)" in result.stdout
    assert result.stdout.splitlines()[-1] == "Report: run/report.md, run/report.html"
    ddpm, flow, *done, spent = result.stderr.splitlines()
    assert re.fullmatch(r"ddpm: shipped weights [0-9a-f]{12}", ddpm)
    assert re.fullmatch(r"flow: shipped weights [0-9a-f]{12}", flow)
    assert done == ["ddim 2 steps, uniform done", "flow 2 steps, uniform done"]
    assert re.fullmatch(r"Time: [\d.]+ s: [a-z -]+ \d+ %(, [a-z -]+ \d+ %)+", spent)
    folder = Path("run")
    report = (folder / "report.md").read_text()
    assert report.count("\n| ddim ") == 1
    assert "| real images" in report
    for picture in ("samples.png", "quality.png"):
        assert f"pictures/{picture}" in report
        assert (folder / "pictures" / picture).read_bytes().startswith(b"\x89PNG")
    facts = json.loads((folder / "run.json").read_text())
    assert facts["environment"]["packages"]["torch"]
    assert facts["quality"]["reference_images"] == 797

    (folder / "report.md").unlink()
    assert invoke("report", folder).exit_code == 0
    assert (folder / "report.md").read_text() == report
    for drawn in (True, False):  # the report is drawn again if it is older than the rows, and only then
        os.utime(folder / "report.md", (0, 0) if drawn else None)
        before = (folder / "report.html").stat().st_mtime_ns
        again = invoke(*command)
        assert "2 of 2 cells are already measured in run" in again.stderr
        assert again.stdout == result.stdout
        assert ((folder / "report.html").stat().st_mtime_ns > before) == drawn


def test_a_run_may_measure_in_pixels_alone_and_be_gated_by_it(invoke):
    result = invoke(*ONE, "--metrics", "fd[encoder=pixels]")
    assert result.exit_code == 0, result.output
    assert "FD (pixels" in result.stdout
    report = Path("run/report.md").read_text()
    assert "**FD (pixels 8x8)**: squared Frechet distance between 80 generated and 797 reference images" in report
    (row,) = read_results(Path("run")).to_dict("records")
    assert 0 < row["fd_floor"] < row["fd"] < row["fd_ceiling"]
    assert invoke("compare", "run", "run", "--fail-on", "fd:1%").exit_code == 0

    Path("worse").mkdir()
    Path("worse/run.json").write_text(Path("run/run.json").read_text())
    text = Path("run/results.csv").read_text()
    Path("worse/results.csv").write_text(text.replace(repr(row["fd"]), repr(5 * row["fd"])))
    assert invoke("compare", "run", "worse", "--fail-on", "fd:1%").exit_code == 1


def test_the_default_folder_is_the_same_for_the_same_command(invoke):
    command = ["run", "--methods", "ddim", "--steps", "1", "--samples", "70", "--no-timing"]
    for _ in range(2):
        assert invoke(*command).exit_code == 0
    (folder,) = Path("results/runs").iterdir()
    assert folder.name.startswith("digits-")


@pytest.mark.parametrize("option", ["--cuda-graph", "--cudnn-benchmark", "--dtype tf32"])
def test_what_needs_a_gpu_is_refused_without_one(option, invoke):
    result = invoke(*ONE, "--device", "cpu", *option.split())
    assert result.exit_code == 2
    assert (
        result.stderr.splitlines()[-1] == f"Error: {option} needs an NVIDIA GPU, and the device is cpu: leave it out."
    )


def test_too_few_samples_for_the_covariance_are_pointed_out(invoke):
    result = invoke("run", "--methods", "ddim", "--steps", "1", "--samples", "40", "--no-timing", "--output", "run")
    assert result.exit_code == 0
    assert "Too few samples: 40 images" in result.stdout
    assert "Too few samples" in Path("run/report.md").read_text()


def test_your_own_checkpoint_is_preferred_and_named(invoke):
    assert invoke("train", "flow", "--iterations", "2", "--batch-size", "8").exit_code == 0
    own = Path("checkpoints/digits/flow.safetensors")
    result = invoke("run", "--methods", "flow,ddim", "--steps", "1", *QUICK, "--no-timing")
    assert result.exit_code == 0
    digests = json.loads(Path("run/run.json").read_text())["checkpoints"]
    assert result.stderr.splitlines()[:2] == [
        f"flow: your own {digests['flow']}", f"ddpm: {digests['ddpm'].replace('shipped', 'shipped weights')}",
    ]  # fmt: skip
    assert digests["flow"].startswith(str(own))


@pytest.mark.parametrize(
    ("given", "found"),
    [("my_unet", "it holds config.json"), ("nowhere", "it does not exist"), ("x.pt", "it is a file")],
)
def test_weights_that_do_not_fit_are_an_error_and_never_the_shipped_ones(invoke, given, found):
    Path("my_unet").mkdir()
    Path("my_unet/config.json").touch()
    Path("x.pt").touch()
    for command in ("run", "--methods", "ddim"), ("sample", "ddim"), ("tune", "ddim"), ("likelihood", "ddpm"):
        result = invoke(*command, "--weights", given)
        path = Path(given, "digits", "ddpm.safetensors")
        assert result.exit_code == 2
        assert f"--weights {given!r} has no checkpoint {str(path)!r} ({found})" in result.stderr
    assert not Path("results").exists()


def test_a_report_that_cannot_be_written_loses_no_rows(invoke, monkeypatch):
    monkeypatch.setattr("samplerbench.report.render_matplotlib.save", full)
    result = invoke(*ONE)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: The report could not be written (No space left on device), but all rows are in run/results.csv: "
        "`bench report run` writes it later."
    )
    assert "real images" in result.stdout, "the table is printed first"
    assert read_results(Path("run"))["status"].tolist() == ["ok"]


def test_a_row_that_cannot_be_written_is_printed_and_ends_the_run_with_one_sentence(invoke, monkeypatch):
    monkeypatch.setattr("samplerbench.store.run_directory.append", full)
    result = invoke(*ONE)
    assert result.exit_code == 2
    *_, heading, row, _, error = result.stderr.splitlines()
    assert heading == "Measured, but not written:"
    assert row.startswith("ddim,,ddpm,digits,8,uniform,1,1,")
    assert error == (
        "Error: Cannot write to 'run' (No space left on device): the rows before are kept, and the same command "
        "continues once it can."
    )


@pytest.fixture
def faulty():
    """Methods that raise an error, and an interruption as Ctrl-C does."""

    @dataclass(frozen=True)
    class Faulty(Method):
        recipe = "ddpm"
        error = RuntimeError("broken")

        def steps(self, field, x, times, noise):
            raise self.error
            yield

    @dataclass(frozen=True)
    class Stopped(Faulty):
        error = KeyboardInterrupt()

    with METHODS.temporarily():
        register("faulty")(Faulty)
        register("stopped")(Stopped)
        yield


def test_a_failed_cell_is_told_and_the_others_are_measured(invoke, faulty):
    result = invoke("run", "--methods", "faulty,ddim", "--steps", "1", *QUICK, "--no-timing")
    assert result.exit_code == 1
    assert "faulty 1 step, uniform failed: RuntimeError: broken (test_run.py:" in result.stderr
    assert read_results(Path("run"))["status"].tolist() == ["failed", "ok"]


def test_a_terminated_run_is_left_in_order(invoke, faulty, monkeypatch):
    """As a job scheduler ends it."""
    monkeypatch.setattr(METHODS.lookup("stopped"), "error", property(lambda _: os.kill(os.getpid(), signal.SIGTERM)))
    result = invoke("run", "--methods", "ddim,stopped", "--steps", "1", *QUICK, "--no-timing")
    assert result.exit_code == 130
    assert read_results(Path("run"))["method"].tolist() == ["ddim"]
    assert not Path("run/run.lock").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_run_in_a_directory_in_use_is_told_who_writes_there(invoke):
    Path("run").mkdir()
    held = Lock(Path("run/run.lock"))
    result = invoke(*ONE)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(f"Error: 'run' is being written by {held.writer}: wait for it")
    assert sorted(entry.name for entry in Path("run").iterdir()) == ["raw", "run.lock"]


def test_an_interrupted_run_keeps_its_cells_and_reports_them(invoke, faulty):
    result = invoke("run", "--methods", "ddim,stopped,flow", "--steps", "1", *QUICK, "--no-timing")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1].startswith("Interrupted: the cells above are kept in run")
    assert read_results(Path("run"))["method"].tolist() == ["ddim"]
    assert "| ddim " in Path("run/report.md").read_text()
