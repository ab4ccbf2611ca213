"""Commands in an empty folder."""

import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def invoke():
    """invoke(*arguments): the result of `bench`, as click's runner gives it."""
    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])
