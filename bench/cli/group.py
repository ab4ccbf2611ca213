"""The group of all commands: it turns errors that the user can fix into a sentence and an exit code."""

import warnings
from typing import Any

import click

INTERRUPTED = 130


class Sentence(click.ClickException):
    """An error that the user can fix, printed without a traceback or the usage of the command."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(" ".join(message.split()))
        self.exit_code = exit_code  # type: ignore[misc]  # click means it for subclasses


class Bench(click.Group):
    """A group whose commands may raise the errors of our packages, and may be interrupted."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Exit codes: 2 for wrong input, 3 for runs that are not comparable, 130 if interrupted."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except ValueError as error:
            code = _exit_code(error)
            if code:
                raise Sentence(str(error), code) from error
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as a sentence, without the line of code that gives it."""
    click.echo(f"Warning: {' '.join(str(message).split())}", err=True)


def _exit_code(error: ValueError) -> int:
    """The exit code of an error that the user can fix; 0 for a defect of the program."""
    from samplerbench.errors import InputError
    from samplerbench.store.protocol import NotComparable

    if isinstance(error, NotComparable):
        return 3
    if isinstance(error, InputError):
        return 2
    # Importing torch takes seconds, which only errors of commands that have imported it should cost.
    from samplerbench.methods import SpecError
    from samplerbench.models import CheckpointError

    return 2 if isinstance(error, SpecError | CheckpointError) else 0
