import json
import shlex
import sys
from dataclasses import asdict, fields, replace

import pytest

from samplerbench.cli.main import main
from samplerbench.sweep import command
from samplerbench.sweep.command import command_of, own_command
from samplerbench.sweep.jobs import expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep


@pytest.mark.parametrize(
    "options",
    [
        {"methods": "ddim[eta=0.5]", "steps": "7", "grid": "quadratic", "samples": 80, "seeds": "0-2,5"},
        {"methods": "pf_ode", "steps": "3", "recipe": "flow", "batch_size": 32, "metrics": "fid,kid", "timing": False},
        {"methods": "flow[solver=dopri5,rtol=0.01,atol=0.01]", "weights": "my weights", "data_root": "d"},
        {"methods": "flow[solver=heun]", "nfe": "10", "dtype": "bfloat16", "compile": True, "device": "cpu"},
        {"methods": "heun", "nfe": "9", "guidance": "cfg[low=0.1,weight=3]", "metrics": "class_accuracy"},
        {"methods": "ddpm", "steps": "1", "preset": "cifar10", "quality": False, "batch_size": 8},
        {"methods": "ddim", "steps": "5", "dataset": "mixture"},
        {"methods": "progressive", "steps": "4"},
        {"methods": "unipc", "steps": "4", "model": "flow", "labels": "balanced", "reference": "digits"},
    ],
    ids=lambda options: options["methods"],
)
def test_the_command_of_a_cell_parses_back_to_that_cell(options):
    sweep = normalise(Sweep(**options))
    (job,) = expand(sweep)
    words = shlex.split(command_of(job, sweep))
    assert words[:2] == ["bench", "run"]
    parsed = main.get_command(None, "run").make_context("run", words[2:]).params
    names = {field.name for field in fields(Sweep)}
    given = {name: value for name, value in parsed.items() if name in names and value is not None}
    again = normalise(Sweep(**given))
    assert expand(again) == [job]
    chosen = {"steps": None, "nfe": None, "grid": None}
    assert replace(again, **chosen) == replace(sweep, **chosen)
    json.dumps(asdict(sweep))


def test_defaults_are_left_out():
    def command(**options):
        sweep = normalise(Sweep(**options))
        return [command_of(job, sweep).removeprefix("bench run ") for job in expand(sweep)]

    assert command(methods="ddim", steps="10", grid="default,logsnr,karras[rho=5]") == [
        "--methods ddim --steps 10",
        "--methods ddim --steps 10 --grid logsnr",
        "--methods ddim --steps 10 --grid 'karras[rho=5.0]'",
    ]
    assert command(methods="ddim", steps="5", dataset="mixture") == ["--methods ddim --steps 5 --dataset mixture"]
    assert command(methods="ddim", steps="5", model="flow,ddpm") == [
        "--methods ddim --steps 5 --model flow", "--methods ddim --steps 5 --model ddpm",
    ]  # fmt: skip
    assert command(methods="flow", nfe="4", seeds="0-4") == ["--methods flow --steps 4 --seeds 0-4"]


@pytest.mark.parametrize(
    ("started", "recorded"),
    [
        ("/usr/bin/bench", "bench run --steps 5"),
        (str(command.MODULE), "bench run --steps 5"),
        ("mine.py", "a function"),
    ],
)
def test_a_process_records_its_command_however_it_was_started(started, recorded, monkeypatch):
    assert command.MODULE.is_file()
    monkeypatch.setattr(sys, "argv", [started, "run", "--steps", "5"])
    assert own_command("a function") == recorded
