"""Start-up and wrong input, of every command."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from samplerbench.cli.main import main


@pytest.mark.parametrize("name", ["", "--version", *sorted(main.commands)])
def test_help_starts_without_torch(name):
    arguments = [name] if name == "--version" else [*name.split(), "--help"]
    code = (
        "import sys; from samplerbench.cli.main import main; main(sys.argv[1:], standalone_mode=False); "
        "assert not {'torch', 'scipy', 'matplotlib', 'plotly'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_run_imports_only_what_it_uses(tmp_path):
    command = ["run", "--methods", "flow", "--steps", "1", "--samples", "70", "--no-timing", "--output", str(tmp_path)]
    code = (
        "import sys; from samplerbench.cli.main import main; main(sys.argv[1:], standalone_mode=False); print(sorted("
        "{'torch_fidelity', 'torchvision', 'torchdiffeq', 'sklearn', 'scipy.stats', 'triton'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_compare_and_report_need_no_torch(tmp_path, write_run, cell):
    run = write_run(tmp_path / "run", cell("a", 5.0), cell("b", 6.0))
    for command in (["compare", run, run], ["report", run], ["report", run, "--format", "latex"]):
        code = (
            "import sys; from samplerbench.cli.main import main; main(sys.argv[1:], standalone_mode=False); "
            "assert 'torch' not in sys.modules"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, command)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr


def test_a_runs_defects_are_not_hidden(invoke, monkeypatch):
    monkeypatch.setattr("samplerbench.sweep.normalise._seeds", lambda value: 1 / 0)
    assert isinstance(invoke("run", "--methods", "ddim").exception, ZeroDivisionError)


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
    (["run", "--metrics", "fidd"], "Did you mean 'fid'?"),
    (["run", "--metrics", "fd[encoder=pixel]"], "Did you mean 'pixels'?"),
    (["run", "--metrics", "fd[encoder=trained:nowhere]"], "There is no encoder 'nowhere': `bench train encoder"),
    (["run", "--metrics", "fd[encoder=trained:file]"], "damaged or not a safetensors file"),
    (["run", "--device", "cuda:77"], "use --device cpu, or auto"),
    (["run", "--device", "toaster"], "use --device cpu, or auto"),
    (["run", "--output", "file/run"], "choose another --output"),
    (["run", "--weights", "corrupt"], "damaged or not a safetensors file"),
    (["run", "--weights", "pytorch", "--methods", "ddim"], "is a PyTorch file, which is not read"),
    (["run", "--dataset", "./images"], "Your own images are folder:DIR, npz:FILE"),
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


# The mistakes that click finds itself; only these show the usage of the command.
FOUND_BY_CLICK = {"not a valid integer", "No such option", "0 is not in the range", "methods"}


@pytest.mark.parametrize(
    ("arguments", "message"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_wrong_input_is_one_sentence_and_exit_code_2(arguments, message, invoke):
    Path("file").write_text("")
    Path("other.csv").write_text("a,b\n1,2\n")
    Path("corrupt/digits").mkdir(parents=True)
    Path("corrupt/digits/ddpm.safetensors").write_bytes(b"not a checkpoint")
    Path("pytorch/digits").mkdir(parents=True)
    torch.save({"weight": torch.zeros(3)}, "pytorch/digits/ddpm.safetensors")
    result = invoke(*arguments)
    assert result.exit_code == 2
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert message in error
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert ("Usage: " in result.stderr) == (message in FOUND_BY_CLICK)
    assert not Path("results").exists(), "nothing is begun that cannot be finished"
