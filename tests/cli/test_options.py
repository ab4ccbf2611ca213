"""Options are declared once, in the dataclasses that the Python functions take."""

from dataclasses import MISSING, fields

import click
import pytest

from samplerbench.cli.main import main
from samplerbench.sweep.options import LikelihoodOptions, SampleOptions, Sweep, TuneOptions
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
    command, declared = main.commands[name], {field.name: field for field in fields(OF[name])}
    options = {each.name: each for each in command.params if each.name in declared}
    assert set(options) == set(declared)
    for each, option in options.items():
        help_text = declared[each].metadata.get("help", "")
        assert help_text in (getattr(option, "help", None) or "")
        assert help_text or isinstance(option, click.Argument)


@pytest.mark.parametrize("name", OF)
def test_what_is_not_given_is_the_default_of_the_dataclass(name, monkeypatch):
    seen = {}
    command = main.commands[name]
    required = ["ddim"] if name in ("sample", "tune") else ["flow"] if name == "train" else []
    context = command.make_context(name, required)
    cls = OF[name]
    given = {each: value for each, value in context.params.items() if value is not None}
    names = {field.name for field in fields(cls)}
    seen = cls(**{each: value for each, value in given.items() if each in names})
    for field in fields(cls):
        if field.default is not MISSING:
            assert getattr(seen, field.name) == field.default, field.name


def test_a_switch_that_is_on_by_default_is_turned_off_by_no():
    run = main.commands["run"]
    assert run.make_context("run", ["--no-timing"]).params["timing"] is False
    assert run.make_context("run", []).params["timing"] is True
