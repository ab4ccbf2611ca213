"""Who may write to a run directory: one session, or several that share it with --join."""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from uuid import uuid4

from samplerbench.errors import InputError, WriteError
from samplerbench.store.atomic import continuing
from samplerbench.store.claims import CLAIMS, Claims
from samplerbench.store.lock import LOCK, InUse, Lock, gone, holder
from samplerbench.store.place import Place, names, remove_folder
from samplerbench.store.writer import Writer

SESSIONS = "sessions"  # with the lock of each session that shares the directory
SUFFIX = ".lock"
TURN_POLL_S = 0.2  # between two looks whether it is this session's turn


class Hold(ABC):
    """The right to write to a run directory. taken_from: the writers that had left theirs behind."""

    lock: Lock
    taken_from: list[Writer]

    @abstractmethod
    def turn(self) -> AbstractContextManager[None]:
        """A block in which no other session changes what all of them share: run.json, results.csv, the report."""

    @abstractmethod
    def alone(self) -> bool:
        """Whether no other session writes here; it stays so during a turn."""

    def release(self) -> None:
        """Give it back."""
        self.lock.release()


class SoleWriter(Hold):
    """That of the only session, which holds the directory's lock all the time."""

    def __init__(self, folder: Place):
        """Raises InputError if the directory is in use."""
        self.lock = Lock(folder / LOCK)
        self.taken_from = [self.lock.taken_from] if self.lock.taken_from else []
        others = living(folder)
        if others:
            self.release()
            raise InputError(
                f"{str(folder)!r} is shared by {next(iter(others.values()))} with --join: add --join, or wait for it."
            )
        self.taken_from += _sessions(folder).values()
        _remove(folder)

    def turn(self):
        return nullcontext()

    def alone(self):
        return True


class SharedWriter(Hold):
    """That of one session of several: each has a lock of its own, and the directory's for moments only.

    claims: what this session measures, so that no other does.
    """

    def __init__(self, folder: Place):
        """Raises InputError if a session without --join writes there."""
        self.folder, self._depth = folder, 0
        token = uuid4().hex[:12]
        self.claims = Claims(folder, token)
        with self.turn():
            (folder / SESSIONS).mkdir(exist_ok=True)
            self.taken_from = self.bury()
            self.lock = Lock(folder / SESSIONS / f"{token}{SUFFIX}")

    @contextmanager
    def turn(self) -> Iterator[None]:
        self._depth += 1
        try:
            with _locked(self.folder) if self._depth == 1 else nullcontext():
                yield
        finally:
            self._depth -= 1

    def alone(self):
        return not self.others()

    def others(self) -> dict[str, Writer]:
        """The other sessions, by their tokens. Raises WriteError."""
        with continuing(self.folder):
            return {token: writer for token, writer in living(self.folder).items() if token != self.claims.owner}

    def bury(self) -> list[Writer]:
        """Free what sessions that have ended without that had claimed; returns their writers. Raises WriteError."""
        with continuing(self.folder):
            found = _sessions(self.folder).items()
            dead = {token: writer for token, writer in found if _gone(self.folder, token, writer)}
            if dead:
                with self.turn():
                    self.claims.free(dead)
                    for token in dead:
                        _path(self.folder, token).unlink(missing_ok=True)
        return [*dead.values()]

    def release(self):
        with suppress(WriteError):
            self.claims.free([self.claims.owner])
        super().release()
        if self._depth and not _sessions(self.folder):  # in a turn, in which no other session can begin
            _remove(self.folder)


def living(folder: Place) -> dict[str, Writer]:
    """The sessions that share a run directory, by their tokens, without those that have ended."""
    return {token: writer for token, writer in _sessions(folder).items() if not _gone(folder, token, writer)}


def writers(folder: Place) -> dict[Place, Writer]:
    """All that hold a run directory, dead or alive, by their locks."""
    sole = holder(folder / LOCK)
    found = {_path(folder, token): writer for token, writer in _sessions(folder).items()}
    return found if sole is None or (sole.brief and found) else {folder / LOCK: sole, **found}


def _sessions(folder: Place) -> dict[str, Writer]:
    tokens = [name.removesuffix(SUFFIX) for name in names(folder / SESSIONS) if name.endswith(SUFFIX)]
    found = {token: holder(_path(folder, token)) for token in tokens}
    return {token: writer for token, writer in found.items() if writer}


def _gone(folder: Place, token: str, writer: Writer) -> bool:
    try:
        return gone(_path(folder, token), writer) is True
    except FileNotFoundError:  # released in between
        return True


def _remove(folder: Place) -> None:
    """Delete what no session needs any more."""
    for name in (SESSIONS, CLAIMS):
        remove_folder(folder / name)


def _path(folder: Place, token: str) -> Place:
    return folder / SESSIONS / f"{token}{SUFFIX}"


@contextmanager
def _locked(folder: Place) -> Iterator[None]:
    """Hold the directory's lock for a moment, after the sessions that do so. Raises InUse for one without --join."""
    while True:
        try:
            lock = Lock(folder / LOCK, brief=True)
            break
        except InUse as error:
            if not error.holder.brief:
                raise
        time.sleep(TURN_POLL_S)
    try:
        yield
    finally:
        lock.release()
