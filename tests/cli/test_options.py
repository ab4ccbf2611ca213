"""Options are declared once, in the dataclasses that the Python functions take."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.cli.options import options_of
from samplerbench.sweep.likelihood_options import LikelihoodOptions
from samplerbench.sweep.options import SampleOptions, Sweep, TuneOptions
from samplerbench.training.options import TrainOptions

OF = {
    "run": Sweep,
    "sample": SampleOptions,
    "tune": TuneOptions,
    "likelihood": LikelihoodOptions,
    "train": TrainOptions,
}


@pytest.mark.parametrize("name", OF)
def test_a_command_has_the_options_of_its_dataclass(name):
    command, declared = main.commands[name], {each.name: each for each in fields(OF[name])}
    options = {each.name: each for each in command.params if each.name in declared}
    assert set(options) == set(declared)
    for each, option in options.items():
        help_text = declared[each].metadata.get("help", "")
        assert help_text in (getattr(option, "help", None) or "")
        assert help_text or isinstance(option, click.Argument)


@pytest.mark.parametrize("name", OF)
def test_what_is_not_given_is_the_default_of_the_dataclass(name):
    required = {"sample": ["ddim"], "tune": ["ddim"], "train": ["flow"]}.get(name, [])
    parsed = main.commands[name].make_context(name, required).params
    for each in fields(OF[name]):
        if each.default is not MISSING:
            assert parsed[each.name] in (None, each.default, str(each.default)), each.name


def test_a_switch_that_is_on_by_default_is_turned_off_by_no():
    run = main.commands["run"]
    assert run.make_context("run", ["--no-timing"]).params["timing"] is False
    assert run.make_context("run", []).params["timing"] is True


@dataclass(frozen=True)
class Options:
    word: str = field(metadata={"metavar": "WORD"})
    few: int = field(default=2, metadata={"help": "A few.", "min": 1, "max": 3})
    rate: float | None = field(default=None, metadata={"help": "A rate.", "max": 1})
    where: Path | None = field(default=None, metadata={"help": "A file.", "shown": "nowhere"})
    many: Sequence[int] | str | int = field(default="1,2", metadata={"help": "Many.", "metavar": "N,..."})
    long_name: bool = field(default=True, metadata={"help": "Do not."})
    off: bool = field(default=False, metadata={"help": "Do."})


def call(*arguments: str):
    """The options that a command is called with, and its result."""
    seen = []

    @click.command()
    @options_of(Options)
    def command(options):
        seen.append(options)

    result = CliRunner().invoke(command, arguments)
    return (seen or [None])[0], result


def test_a_command_is_called_with_the_dataclass():
    assert call("a")[0] == Options("a")
    given = "a --few 3 --rate 0.5 --where x/y --many 5 --no-long-name --off"
    assert call(*given.split())[0] == Options("a", 3, 0.5, Path("x/y"), "5", False, True)


@pytest.mark.parametrize("arguments", ["", "a --few 4", "a --few x", "a --rate 1.5", "a --long-name", "a b"])
def test_values_are_checked(arguments):
    found, result = call(*arguments.split())
    assert found is None
    assert result.exit_code == 2


def test_the_help_shows_defaults_once_and_ranges():
    text = " ".join(call("--help")[1].output.split())
    for shown in (
        "[OPTIONS] WORD", "A few. [default: 2; 1<=x<=3]", "A rate. [x<=1]", "A file. [default: nowhere]",
        "--many N,... Many. [default: 1,2]", "--no-long-name Do not.", "--off Do.",
    ):  # fmt: skip
        assert shown in text
