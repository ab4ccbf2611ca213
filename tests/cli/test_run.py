import json
from pathlib import Path

import pytest

QUICK = ["--samples", "80", "--batch-size", "40"]


def test_a_run_prints_and_writes_a_report_that_can_be_written_again(invoke):
    command = ["run", "--methods", "ddim,flow", "--steps", "1,2", *QUICK]
    result = invoke(*command)
    assert result.exit_code == 0, result.output
    (folder,) = Path("results/runs").iterdir()
    assert "FID" in result.output
    assert "(digits-cnn)" in result.output
    assert "ddpm, flow: shipped weights" in result.output
    report = (folder / "report.md").read_text()
    assert report.count("\n| ddim ") == 2
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
    assert "4 of 4 cells are already measured" in invoke(*command).output


def test_too_few_samples_for_the_covariance_are_pointed_out(invoke):
    result = invoke("run", "--methods", "ddim", "--steps", "1", "--samples", "40", "--no-timing", "--output", "run")
    assert result.exit_code == 0
    assert "Too few samples: 40 images" in result.output
    assert "Too few samples" in Path("run/report.md").read_text()


def test_your_own_checkpoint_is_preferred_and_named(invoke):
    assert invoke("train", "flow", "--iterations", "2", "--batch-size", "8").exit_code == 0
    own = Path("checkpoints/digits/flow.safetensors")
    assert own.exists()
    result = invoke("run", "--methods", "flow", "--steps", "1", *QUICK, "--no-timing", "--output", "run")
    assert result.exit_code == 0
    assert f"flow: your own {own}" in result.output
    assert json.loads(Path("run/run.json").read_text())["checkpoints"]["flow"].startswith(str(own))


def test_a_report_that_cannot_be_written_loses_no_rows(invoke, monkeypatch):
    def full(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("samplerbench.report.write.content", full)
    result = invoke("run", "--methods", "ddim", "--steps", "1", *QUICK, "--no-timing", "--output", "run")
    assert result.exit_code != 0
    assert len(Path("run/results.csv").read_text().splitlines()) == 2


@pytest.mark.parametrize("guidance", [[], ["--guidance", "cfg[weight=2,high=1]"]])
def test_sample_writes_a_picture(guidance, invoke):
    result = invoke("sample", "flow", "--steps", "2", "--count", "5", "--output", "some/grid.png", *guidance)
    assert result.exit_code == 0, result.output
    assert f"5 images, {3 if guidance else 2} network evaluations each" in result.output
    assert Path("some/grid.png").read_bytes().startswith(b"\x89PNG")
