"""One writer per run directory: a lock file that names its writer and is taken over once that process is gone.

`flock` would be released by the system, but many cluster file systems keep it within one node, buckets have none, and
it names nobody. Whether a process of this machine has ended, the system says. One elsewhere shows that it lives by
renewing its lock every few seconds: it counts as gone when that has not happened for a minute.
"""

import json
import os
import threading
import time
import weakref
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict

from samplerbench.errors import InputError
from samplerbench.store.atomic import age, create, replace, touch
from samplerbench.store.place import Place, names
from samplerbench.store.writer import Writer

LOCK = "run.lock"
BEAT_S = 10.0  # between two renewals of a lock
STALE_S = 60.0  # without one, after which a process that cannot be checked counts as gone
UNREADABLE_S = 1.0  # how long an empty lock may be one that is just being written


class InUse(InputError):
    """Another process holds the lock; `holder` is its writer."""

    def __init__(self, message: str, holder: Writer):
        super().__init__(message)
        self.holder = holder


class Lock:
    """The lock of a directory, held until `release`, the end of the process, or the collection of this object.

    taken_from: the writer that had left it behind, if there was one.
    """

    def __init__(self, path: Place, brief: bool = False):
        """brief: for moments only. Raises InUse if another process holds it, and OSError if it cannot be written."""
        self.path, self.writer = path, Writer.this(BEAT_S, brief)
        self.taken_from = _acquire(path, self.writer)
        _tidy(path)
        ended, beating = threading.Event(), threading.RLock()  # this object may be collected in any thread
        self.release = weakref.finalize(self, _release, path, self.writer, ended, beating)
        threading.Thread(target=_beat, args=(path, self.writer, ended, beating), daemon=True).start()

    def held(self) -> bool:
        """Whether it is still there and ours."""
        return _read(self.path) == self.writer


def holder(path: Place) -> Writer | None:
    """The writer that a lock names, dead or alive; None if there is no lock. Raises InputError if it is damaged."""
    return _read(path)


def gone(path: Place, writer: Writer) -> bool | None:
    """Whether the writer of a lock has ended; None if that cannot be found out from here. Raises OSError."""
    found = writer.gone()
    return True if found is None and writer.beat_s and age(path) > STALE_S else found


def _acquire(path: Place, writer: Writer) -> Writer | None:
    """Take the lock; returns the dead writer that it was taken from. Raises InUse.

    Whoever takes over a dead writer's lock holds a second one meanwhile, named after that writer. So of several
    processes that see the same dead lock one replaces it, and the others then see that it has changed.
    """
    content = _content(writer)
    while not create(path, content):
        holder = _read(path)
        if holder is None:  # released in between
            continue
        dead = gone(path, holder)
        if not dead:
            raise InUse(_in_use(path, holder, dead), holder)
        claim = path.with_name(f"{path.name}.{holder.token}")
        _acquire(claim, writer)
        try:
            if _read(path) == holder:
                replace(path, content)
                return holder
        finally:
            claim.unlink(missing_ok=True)
    return None


def _in_use(path: Place, holder: Writer, dead: bool | None) -> str:
    folder = str(path.parent)
    if dead is None and not holder.beat_s:
        return (
            f"{folder!r} is locked by {holder}, which cannot be checked from here: choose another --output, or delete "
            f"{str(path)!r} if that run has ended."
        )
    wait = "wait for it" if dead is False else f"wait for it ({STALE_S:.0f} seconds, if it was killed)"
    return (
        f"{folder!r} is being written by {holder}: {wait}, start all with --join, or give every run an --output of its "
        "own and merge them with `bench report`."
    )


def _content(writer: Writer) -> bytes:
    return json.dumps(asdict(writer)).encode()


def _parsed(path: Place) -> Writer:
    return Writer(**json.loads(path.read_text(encoding="utf-8")))


def _read(path: Place) -> Writer | None:
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


def _tidy(path: Place) -> None:
    """Remove what processes that were killed while they took this lock have left beside it."""
    for name in names(path.parent):
        if name.startswith(f"{path.name}."):
            with suppress(OSError, ValueError, TypeError):
                if _parsed(path.with_name(name)).gone():
                    path.with_name(name).unlink()


def _beat(path: Place, writer: Writer, ended: threading.Event, beating: AbstractContextManager) -> None:
    """Renew a lock until it has ended, or is another's."""
    while not ended.wait(writer.beat_s):
        with beating, suppress(OSError, InputError):  # a storage that does not answer may do so the next time
            if ended.is_set() or _read(path) != writer:
                return
            touch(path, _content(writer))


def _release(path: Place, writer: Writer, ended: threading.Event, beating: AbstractContextManager) -> None:
    """Remove the lock if it is this writer's; not in a process forked from it."""
    if os.getpid() != writer.pid:
        return
    with beating, suppress(OSError, InputError):
        ended.set()
        if _read(path) == writer:
            path.unlink()
