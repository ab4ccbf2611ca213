"""The one exception of the framework for what a user can mend."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Wrong input; the message is one sentence that says what to do."""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A block that writes into a folder; raises InputError where that cannot be done."""
    try:
        yield
    except OSError as error:
        raise InputError(f"Cannot write to {str(folder)!r} ({error.strerror}): choose another --output.") from error
