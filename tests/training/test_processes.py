"""Training on two processes, which torchrun starts and gloo joins on the CPU, gives what one process does."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from samplerbench.errors import InputError
from samplerbench.models import load
from samplerbench.training import pairs, run
from samplerbench.training.options import TrainOptions
from samplerbench.training.plan import Training, plan_chain
from samplerbench.training.processes import PATIENCE, torchrun_share

# The commands run in one interpreter, which takes seconds to start; pairs are of two steps, which is faster. They share
# one process group, since a second one finds the first one's addresses in torchrun's store, and can wait for ever.
SCRIPT = """
import sys
import torch.distributed as dist
from samplerbench.cli.main import main
from samplerbench.training import pairs
pairs.STEPS = 2
join, dist.destroy_process_group = dist.init_process_group, lambda: None
dist.init_process_group = lambda *args, **options: dist.is_initialized() or join(*args, **options)
for command in sys.argv[1:]:
    try:
        main(command.split())
    except SystemExit as done:
        code = done.code
sys.exit(code)
"""
RATE = 0.01  # moves a weight by up to 2e-4; Adam divides by small gradients, so that rounding moves one by 3e-6
FLAGS = f"--device cpu --iterations 4 --batch-size 8 --learning-rate {RATE} --output"


def plan(recipe: str, folder: Path, **options) -> Training:
    usual = TrainOptions(device="cpu", iterations=4, batch_size=8, learning_rate=RATE, output=str(folder), **options)
    return plan_chain(recipe, usual)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Trainings of one process in `one`, and in `two` one that was interrupted after two iterations."""
    folder = tmp_path_factory.mktemp("processes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "STEPS", 2)
        patch.setattr(run, "LOG_EVERY", 2)
        list(plan("dmd", folder / "one", pairs=16).run())
        list(plan("flow", folder / "one", weak=True).run())
        interrupted = plan("flow", folder / "two", weak=True).run()
        next(interrupted)
        interrupted.close()
    return folder


@pytest.fixture(scope="module")
def two(folder) -> subprocess.CompletedProcess:
    """The same trainings on two processes, and then one that they cannot share."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    commands = [f"train {each} {FLAGS} {folder / 'two'}" for each in ("dmd --pairs 16", "flow --weak", "vdm")]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run([*torchrun, script, *commands], capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.parametrize("name", ["dmd", "flow-weak"], ids=["several networks and pairs", "dropout, resumed"])
def test_the_state_is_that_of_one_process(name, folder, two):
    one, other = (load(folder / each / f"digits/{name}.state.safetensors").weights for each in ("one", "two"))
    assert one.keys() == other.keys(), two.stderr
    for key in one.keys() - {"seconds"}:
        torch.testing.assert_close(other[key], one[key], rtol=0, atol=1e-5, msg=key)


def test_one_process_alone_prints(two):
    lines = two.stdout.splitlines()
    assert [line.partition(": ")[2] for line in lines] == ["trained for 4 iterations"] * 2, two.stderr
    assert two.stderr.count("The loss of vdm couples the images of a batch") == 1
    assert two.returncode != 0


@pytest.mark.parametrize(
    ("device", "processes", "message"),
    [
        ("cuda", 2, "2 processes need as many GPUs, not 1: start fewer, or give --device cpu"),
        ("cuda:0", 2, "--device cuda:0 is one device for all processes: give cuda"),
        ("mps", 2, "--device mps is one device for all processes"),
        ("cpu", 4, "the GPUs of one machine: give torchrun --nnodes 1"),
    ],
)
def test_what_cannot_be_joined_is_refused(device, processes, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    launched = {"TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": str(processes)}
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    for rank in ("0", "1"):
        for name, value in (launched | {"RANK": rank}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(InputError) as caught, torchrun_share(device):
            pass
        assert message in str(caught.value)
    assert slept == [PATIENCE], "rank 1 leaves it to rank 0 to print the message"
