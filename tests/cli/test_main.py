import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.store.run_directory import read_results
from samplerbench.sweep.plan import Sweep
from samplerbench.training.loop import Settings

QUICK = ["--samples", "80", "--batch-size", "40"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def invoke(*arguments: str):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_run_prints_and_writes_a_report():
    result = invoke("run", "--methods", "ddim,flow", "--steps", "1,2", *QUICK)
    assert result.exit_code == 0, result.output
    (folder,) = Path("results/runs").iterdir()
    assert "FID (digits-cnn)" in result.output
    report = (folder / "report.md").read_text()
    assert report.count("\n| ddim ") == 2
    assert "| real images" in report
    assert "±" in report
    for picture in ("samples.png", "quality.png"):
        assert f"pictures/{picture}" in report
        assert (folder / "pictures" / picture).read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    assert page.count("<td class='left'>ddim</td>") == 2
    assert page.count("<img ") == 4 + 1, "four cells and the reference"
    facts = json.loads((folder / "run.json").read_text())
    assert facts["environment"]["packages"]["torch"]
    assert facts["quality"]["reference_images"] == 797

    (folder / "report.md").unlink()
    assert invoke("report", folder).exit_code == 0
    assert (folder / "report.md").read_text() == report

    again = invoke("run", "--methods", "ddim,flow", "--steps", "1,2", *QUICK)
    assert "4 of 4 cells are done already" in again.output


def test_too_few_samples_for_the_covariance_are_pointed_out():
    result = invoke("run", "--methods", "ddim", "--steps", "1", "--samples", "40", "--no-timing", "--output", "run")
    assert result.exit_code == 0
    assert "Too few samples: 40 images" in result.output
    assert "Too few samples" in Path("run/report.md").read_text()


def test_sample_writes_a_picture():
    result = invoke("sample", "flow", "--steps", "2", "--count", "5", "--output", "some/grid.png")
    assert result.exit_code == 0, result.output
    assert "5 images, 2 network evaluations each" in result.output
    assert Path("some/grid.png").read_bytes().startswith(b"\x89PNG")
    guided = invoke("sample", "flow", "--steps", "2", "--count", "5", "--guidance", "cfg[weight=2,high=1]")
    assert "5 images, 3 network evaluations each" in guided.output


def test_list_names_everything():
    output = invoke("list").output
    expected = "ddim[eta=0.0,clip=false] pf_ode digits fashion-mnist karras[rho=7.0] cfg[weight=2.0,low=0.0,high=inf]"
    for name in (*expected.split(), "fid", "novelty"):
        assert name in output
    methods = {line.split("[")[0].split()[0]: line for line in invoke("list", "methods").output.splitlines()[1:]}
    assert methods["unipc"].split()[1:8] == "4 1 no ddpm logsnr arXiv 2302.04867".split()
    assert methods["dpmpp_2m_sde"].split()[1:8] == "- 1 yes ddpm logsnr arXiv 2211.01095".split()
    assert methods["heun"].split()[1:5] == "2 2 no ddpm".split()
    recipes = {line.split()[0]: line.split()[1:5] for line in invoke("list", "recipes").output.splitlines()[1:]}
    assert recipes["flow"] == ["velocity", "Linear", "-", "digits"]
    assert recipes["ot_flow"] == recipes["flow"]
    assert recipes["improved_ddpm"] == ["v", "Cosine", "-", "digits"]
    assert recipes["subvp"] == ["eps", "SubVP", "-", "-"]
    assert invoke("list", "grids").output.splitlines()[0].startswith("karras[rho=7.0]")


@pytest.mark.parametrize(
    ("line", "defaults"), [(["train", "flow"], Settings()), (["run"], Sweep())], ids=["train", "run"]
)
def test_the_defaults_of_the_command_are_those_of_the_code(line, defaults):
    """They stand twice, since the command line starts without torch."""
    parsed = main.commands[line[0]].make_context(line[0], line[1:]).params
    common = {name: value for name, value in parsed.items() if hasattr(defaults, name) and value is not None}
    assert len(common) >= 5
    assert common == {name: getattr(defaults, name) for name in common}


def test_train_writes_a_checkpoint_that_run_prefers():
    assert invoke("train", "flow", "--iterations", "2", "--batch-size", "8").exit_code == 0
    assert Path("checkpoints/digits/flow.safetensors").exists()
    result = invoke("run", "--methods", "flow", "--steps", "1", *QUICK, "--no-timing", "--output", "run")
    assert result.exit_code == 0
    assert "flow runs on your own checkpoint checkpoints/digits/flow.safetensors" in result.output
    shipped = invoke(
        "run", "--methods", "flow", "--steps", "1", *QUICK, "--no-timing", "--weights", "none", "--output", "b"
    )
    assert shipped.exit_code == 0
    digests = [json.loads(Path(run, "run.json").read_text())["checkpoints"]["flow"] for run in ("run", "b")]
    assert digests[0] != digests[1]
    assert read_results(Path("run"))["fid"].item() > 2 * read_results(Path("b"))["fid"].item()


WRONG = [
    (["run", "--methods", "dimm"], "Did you mean 'ddim'?"),
    (["run", "--methods", "ddim[eat=1]"], "Did you mean 'eta'?"),
    (["run", "--methods", "ddim[eta=7]"], "between 0 and 1"),
    (["run", "--steps", "0"], "--steps must be 1 or more"),
    (["run", "--steps", "1.5"], "whole numbers"),
    (["run", "--samples", "-3"], "--samples must lie between 2"),
    (["run", "--samples", "many"], "not a valid integer"),
    (["run", "--dataset", "digit"], "Did you mean 'digits'?"),
    (["run", "--dataset", "cifar10", "--methods", "ddim"], "bench train ddpm --dataset cifar10"),
    (["run", "--metrics", "fad"], "Did you mean 'fid'?"),
    (["run", "--device", "cuda:77"], "use --device cpu, or auto"),
    (["run", "--device", "toaster"], "use --device cpu, or auto"),
    (["run", "--output", "file/run"], "choose another --output"),
    (["run", "--weights", "corrupt"], "damaged or not a safetensors file"),
    (["run", "--download"], "come with scikit-learn"),
    (["run", "--grd", "karras"], "No such option"),
    (["run", "--preset", "cifar10"], "add --no-quality"),
    (["report", "nowhere"], "give the directory of a `bench run`"),
    (["report", "other.csv"], "no column 'method'"),
    (["run", "--methods", "ddim", "--grid", "uniform,nowhere.json"], "There is no grid file at 'nowhere.json'"),
    (["run", "--grid", "uniform,logsrn"], "Did you mean 'logsnr'?"),
    (["sample", "ddim", "--grid", "uniform,logsnr"], "A picture has one time grid"),
    (["sample", "ddmp"], "Did you mean 'ddpm'?"),
    (["sample", "flow", "--count", "0"], "0 is not in the range"),
    (["sample", "flow", "--steps", "1", "--count", "1", "--output", "grid.xyz"], "ends in .png"),
    (["sample", "flow", "--steps", "1", "--count", "1", "--output", "file/grid.png"], "Cannot write the picture"),
    (["sample", "flow[solver=dopri5]", "--steps", "5"], "no effect"),
    (["train", "flaw"], "Did you mean 'flow'?"),
    (["train", "flow", "--dataset", "mnist"], "add --download"),
    (["list", "samplers"], "methods"),
    (["sample", "flow", "--guidance", "1,2"], "give --guidance one value"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_wrong_input_is_one_sentence_and_exit_code_2(arguments, message):
    Path("file").write_text("")
    Path("other.csv").write_text("a,b\n1,2\n")
    Path("corrupt/digits").mkdir(parents=True)
    Path("corrupt/digits/ddpm.safetensors").write_bytes(b"not a checkpoint")
    result = invoke(*arguments)
    assert result.exit_code == 2
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert message in error
    assert "Traceback" not in result.output
    assert not Path("results").exists(), "nothing is begun that cannot be finished"
