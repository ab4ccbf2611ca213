"""Writing to a run directory: every file is replaced, appended to, or created, as a whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from samplerbench.errors import WriteError
from samplerbench.store.bucket import BucketPath
from samplerbench.store.place import Place, modified

PARTIAL = ".partial"  # of the name of a file that is not complete yet


def replace(path: Place, data: bytes) -> None:
    """Write a file in the place of an earlier one, so that a kill leaves the old or the new one."""
    if isinstance(path, BucketPath):
        path.write_bytes(data)
        return
    partial = path.with_name(path.name + PARTIAL)
    _write(partial, data)
    partial.replace(path)


def create(path: Place, data: bytes) -> bool:
    """Write a file unless there is one; returns whether it did. Of several processes, one does.

    It appears under its name complete or not at all, since it is a hard link to a finished file: atomic on NFS too.
    """
    if isinstance(path, BucketPath):
        return path.create(data)
    partial = path.with_name(_beside(path))
    _write(partial, data)
    try:
        os.link(partial, path)
    except FileExistsError:
        return partial.stat().st_nlink == 2  # NFS may repeat a request whose answer was lost
    except OSError:  # a file system without hard links
        return _create_in_place(path, data)
    finally:
        partial.unlink(missing_ok=True)
    return True


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


def touch(path: Place, data: bytes) -> None:
    """Give a file, whose content is `data`, the time of now. Raises OSError if a local one is gone."""
    if isinstance(path, BucketPath):
        path.write_bytes(data)
    else:
        os.utime(path)  # without a time of our own, so that a file server takes its own


def age(path: Place) -> float:
    """Seconds since a file was written, by the clock of where it lies: that of this machine may be wrong."""
    probe = path.with_name(_beside(path))
    try:
        probe.write_bytes(b"")
        return modified(probe) - modified(path)
    finally:
        probe.unlink(missing_ok=True)


def _beside(path: Place) -> str:
    """The name of a file that no other process writes."""
    return f"{path.name}.{uuid4().hex[:12]}{PARTIAL}"


def _write(partial: Path, data: bytes) -> None:
    try:
        with partial.open("wb") as file:
            file.write(data)
            _sync(file.fileno())
    except OSError:
        with suppress(OSError):  # the half of a file would take the room that the rows need
            partial.unlink()
        raise


def _create_in_place(path: Path, data: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _sync(descriptor: int) -> None:
    """Wait until the data is on the disk: a power cut spares it, and NFS and quotas report a full disk only now.

    A cell takes far longer than that.
    """
    os.fsync(descriptor)


@contextmanager
def continuing(folder: Place) -> Iterator[None]:
    """A block that writes into the directory of a running sweep; raises WriteError if that fails."""
    try:
        yield
    except OSError as error:
        if isinstance(folder, Path) and not folder.is_dir():
            raise WriteError(f"{str(folder)!r} has vanished, with its rows: choose another --output.") from error
        file = str(error.filename or folder).removesuffix(PARTIAL)
        raise WriteError(
            f"Cannot write to {file!r} ({error.strerror or error}): the rows before are kept, and the same command "
            "continues once it can."
        ) from error
