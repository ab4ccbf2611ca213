"""One writer per run directory: a lock file that names its writer and is taken over once that process is gone.

The lock appears under its name complete or not at all, since it is a hard link to a finished file: atomic on NFS too.
`flock` would be released by the system, but many cluster file systems keep it within one node, and it names nobody.
"""

import json
import os
import time
import weakref
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from samplerbench.errors import InputError
from samplerbench.store.writer import Writer

LOCK = "run.lock"
UNREADABLE_S = 1.0  # how long an empty lock may be one that is just being written


class Lock:
    """The lock of a directory, held until `release`, the end of the process, or the collection of this object.

    taken_from: the writer that had left it behind, if there was one.
    """

    def __init__(self, path: Path):
        """Raises InputError, naming the writer, if another process holds it, and OSError if it cannot be written."""
        self.path, self.writer = path, Writer.this()
        self.taken_from = _acquire(path, self.writer)
        _tidy(path)
        self.release = weakref.finalize(self, _release, path, self.writer)

    def held(self) -> bool:
        """Whether it is still there and ours. Raises OSError if its directory is gone."""
        self.path.parent.stat()
        return _read(self.path) == self.writer


def holder(path: Path) -> Writer | None:
    """The writer that a lock names, dead or alive; None if there is no lock. Raises InputError if it is damaged."""
    return _read(path)


def _acquire(path: Path, writer: Writer) -> Writer | None:
    """Take the lock; returns the dead writer that it was taken from. Raises InputError if it is in use.

    Whoever takes over a dead writer's lock holds a second one meanwhile, named after that writer. So of several
    processes that see the same dead lock one replaces it, and the others then see that it has changed.
    """
    while not _create(path, writer):
        holder = _read(path)
        if holder is None:  # released in between
            continue
        if not holder.gone():
            raise InputError(_in_use(path, holder))
        claim = path.with_name(f"{path.name}.{holder.token}")
        _acquire(claim, writer)
        try:
            if _read(path) == holder:
                os.replace(_written(path, writer), path)
                return holder
        finally:
            claim.unlink(missing_ok=True)
    return None


def _in_use(path: Path, holder: Writer) -> str:
    folder = str(path.parent)
    if holder.gone() is None:
        return (
            f"{folder!r} is locked by {holder}, which cannot be checked from here: choose another --output, or delete "
            f"{str(path)!r} if that run has ended."
        )
    return (
        f"{folder!r} is being written by {holder}: wait for it, or give every run an --output of its own and merge "
        "them with `bench report`."
    )


def _create(path: Path, writer: Writer) -> bool:
    """Make the lock; returns False if there is one."""
    written = _written(path, writer)
    try:
        os.link(written, path)
    except FileExistsError:
        return written.stat().st_nlink == 2  # NFS may repeat a request whose answer was lost
    except OSError:  # a file system without hard links
        return _create_in_place(path, written.read_text(encoding="utf-8"))
    finally:
        written.unlink(missing_ok=True)
    return True


def _create_in_place(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _written(path: Path, writer: Writer) -> Path:
    """A finished file, to be given the lock's name."""
    partial = path.with_name(f"{path.name}.{writer.token}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(asdict(writer), file)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    return partial


def _parsed(path: Path) -> Writer:
    return Writer(**json.loads(path.read_text(encoding="utf-8")))


def _read(path: Path) -> Writer | None:
    """The writer that a lock names; None if there is no lock. Raises InputError if it is damaged."""
    deadline = time.monotonic() + UNREADABLE_S
    while True:
        try:
            return _parsed(path)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            if time.monotonic() > deadline:
                raise InputError(
                    f"{str(path)!r} is damaged, so it is unknown who writes to {str(path.parent)!r}: delete it if no "
                    "run does."
                ) from error
        time.sleep(0.05)


def _tidy(path: Path) -> None:
    """Remove what processes that were killed while they took this lock have left beside it."""
    for file in path.parent.glob(f"{path.name}.*"):
        with suppress(OSError, ValueError, TypeError):
            if _parsed(file).gone():
                file.unlink()


def _release(path: Path, writer: Writer) -> None:
    """Remove the lock if it is this writer's; not in a process forked from it."""
    if os.getpid() == writer.pid:
        with suppress(OSError, InputError):
            if _read(path) == writer:
                path.unlink()
