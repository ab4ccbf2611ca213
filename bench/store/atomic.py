"""Writing to a run directory: every file is replaced, or appended to, as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from samplerbench.errors import WriteError

PARTIAL = ".partial"  # of the name of a file that is not complete yet


def replace(path: Path, data: bytes) -> None:
    """Write a file in the place of an earlier one, so that a kill leaves the old or the new one."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open("wb") as file:
            file.write(data)
            _sync(file.fileno())
        partial.replace(path)
    except OSError:
        with suppress(OSError):  # the half of a file would take the room that the rows need
            partial.unlink()
        raise


def append(path: Path, data: bytes) -> None:
    """Append to a file that exists; on an error it is what it was before."""
    with path.open("r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            while data:
                data = data[file.write(data) :]
            _sync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(end)
            raise


def _sync(descriptor: int) -> None:
    """Wait until the data is on the disk: a power cut spares it, and NFS and quotas report a full disk only now.

    A cell takes far longer than that.
    """
    os.fsync(descriptor)


@contextmanager
def continuing(folder: Path) -> Iterator[None]:
    """A block that writes into the directory of a running sweep; raises WriteError if that fails."""
    try:
        yield
    except OSError as error:
        if not folder.is_dir():
            raise WriteError(f"{str(folder)!r} has vanished, with its rows: choose another --output.") from error
        file = str(error.filename or folder).removesuffix(PARTIAL)
        raise WriteError(
            f"Cannot write to {file!r} ({error.strerror or error}): the rows before are kept, and the same command "
            "continues once it can."
        ) from error
