import click
import pytest
from click.testing import CliRunner

from samplerbench.cli.group import Bench
from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.models import CheckpointError
from samplerbench.store.protocol import NotComparable


def ending(error: BaseException):
    """The result of a command that raises this."""

    @click.group(cls=Bench)
    def group():
        pass

    @group.command()
    def command():
        raise error

    return CliRunner().invoke(group, ["command"])


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (SpecError, 2), (CheckpointError, 2), (NotComparable, 3)])
def test_errors_that_the_user_can_fix_are_one_sentence(kind, code):
    result = ending(kind("Do\nthis."))
    assert (result.exit_code, result.stderr, result.stdout) == (code, "Error: Do this.\n", "")


def test_an_interruption_is_exit_code_130():
    result = ending(KeyboardInterrupt())
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize("error", [ValueError("a defect"), RuntimeError("a defect")])
def test_defects_keep_their_traceback(error):
    assert ending(error).exception is error
