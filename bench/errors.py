"""Errors the user can fix."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class InputError(ValueError):
    """Wrong input; the message is one sentence that says what to do."""


class WriteError(InputError):
    """A file could not be written. rows: what was measured and is on no disk, as CSV."""

    rows = ""


@contextmanager
def writing(folder: object) -> Iterator[None]:
    """A block that writes into a folder, local or in a bucket; raises WriteError if that fails."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise WriteError(f"Cannot write to {str(folder)!r} ({reason}): choose another --output.") from error


@contextmanager
def reading(folder: object) -> Iterator[None]:
    """A block that reads from a folder, local or in a bucket; raises InputError if that fails."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"Cannot read {str(folder)!r} ({reason}): check its name, and your access to it.") from error


def nearest(name: str, names: Iterable[str]) -> str:
    """Advice after an unknown name: the closest one, or all of them. `samplerbench.methods.nearest` without torch."""
    names = list(names)
    close = get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Choose from: {', '.join(names) or 'none'}."
