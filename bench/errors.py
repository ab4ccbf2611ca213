"""Errors the user can fix."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path


class InputError(ValueError):
    """Wrong input; the message is one sentence that says what to do."""


class WriteError(InputError):
    """A file could not be written. rows: what was measured and is on no disk, as CSV."""

    rows = ""


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A block that writes into a folder; raises WriteError if that fails."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"Cannot write to {str(folder)!r} ({error.strerror}): choose another --output.") from error


def nearest(name: str, names: Iterable[str]) -> str:
    """Advice after an unknown name: the closest one, or all of them. `samplerbench.methods.nearest` without torch."""
    names = list(names)
    close = get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Choose from: {', '.join(names) or 'none'}."
