"""Which units of a sweep a session measures: all of them, or, with --join, those that no other session does."""

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from samplerbench.store.atomic import continuing
from samplerbench.store.lock import InUse, Lock
from samplerbench.store.run_directory import RunDirectory
from samplerbench.store.sharing import SESSIONS, SharedWriter
from samplerbench.sweep.events import Note
from samplerbench.sweep.exclusive import Alone
from samplerbench.sweep.unit import Unit

POLL_S = 2.0  # between two looks at what other sessions have measured


class Share(ABC):
    """A session's part of a sweep. The unit without a block stands for the cell's row, and its timing if it has one."""

    @abstractmethod
    def free(self, units: Sequence[Unit]) -> list[Unit]:
        """Those that no other session measures at the moment."""

    @abstractmethod
    def take(self, unit: Unit) -> bool:
        """Whether this session is to measure a unit: it is not measured, and no other session does."""

    @abstractmethod
    def release(self, unit: Unit) -> None:
        """A unit that was taken is stored."""

    @abstractmethod
    def closed(self, cells: Collection[str]) -> list[str]:
        """Those of the cells that have a row from another session; what others have stored is seen from now on."""

    @abstractmethod
    def wait(self) -> Iterator[Note]:
        """Wait for other sessions, for a moment."""

    @abstractmethod
    def timing(self) -> AbstractContextManager[bool]:
        """A block in which this session may time cells, unless it gets False: another one of this host does."""

    @abstractmethod
    def exclusive(self) -> bool:
        """Whether the sweep had nothing else running on this host since the last call, or the beginning of `timing`."""


class Whole(Share):
    """All units: no other session writes to the run directory."""

    def __init__(self, store: RunDirectory, shard: str | None):
        self.store, self.shard = store, shard

    def free(self, units):
        return list(units)

    def take(self, unit):
        return True

    def release(self, unit):
        pass

    def closed(self, cells):
        return []

    def wait(self):
        raise AssertionError("nothing is measured elsewhere")

    def timing(self):
        self.alone = Alone(self.store.folder, self.shard)
        return nullcontext(True)

    def exclusive(self):
        return self.alone.until_now()


class Joined(Share):
    """What is free, unit by unit. A session that has ended without releasing its units loses them."""

    def __init__(self, store: RunDirectory):
        """store: shared, and open for writing."""
        assert isinstance(store.hold, SharedWriter), "the run directory is shared"
        self.store, self.hold, self.claims = store, store.hold, store.hold.claims
        # Cells that failed before are tried once more by this session, or by another that is here.
        self.failed = {cell: _tried(row) for cell, row in store.rows.items() if not store.done(cell)}
        self.waiting = False

    def free(self, units):
        taken = self.claims.others()
        return [unit for unit in units if _name(unit) not in taken]

    def take(self, unit):
        if not self.claims.take(_name(unit)):
            return False
        # Between the last look and the claim, another session may have measured and released it.
        if self.closed([unit.cell]) or unit.block in self.store.units.blocks(unit.cell):
            self.release(unit)
            return False
        self.waiting = False
        return True

    def release(self, unit):
        self.claims.release(_name(unit))

    def closed(self, cells):
        self.store.refresh(cells)
        rows = self.store.rows
        return [
            cell
            for cell in cells
            if self.store.done(cell) or (cell in rows and _tried(rows[cell]) != self.failed.get(cell))
        ]

    def wait(self):
        for writer in self.hold.bury():
            yield Note(f"The {writer} has ended: what it had begun is measured again.")
        if not self.waiting:
            self.waiting = True
            count = len(self.claims.others())
            units = f"other sessions, which measure {count} unit{'s' * (count > 1)}"
            yield Note(f"Waiting for {units if count else 'the timings of another session'}.")
        time.sleep(POLL_S)

    @contextmanager
    def timing(self):
        try:
            with continuing(self.store.folder):
                turn = Lock(self.store.folder / SESSIONS / f"timing-{socket.gethostname()}")
        except InUse:
            yield False
            return
        try:
            self.neighbours, self.quiet = self._neighbours()
            yield True
        finally:
            turn.release()

    def exclusive(self):
        before, quiet = self.neighbours, self.quiet
        self.neighbours, self.quiet = self._neighbours()
        return quiet and self.quiet and before == self.neighbours

    def _neighbours(self) -> tuple[set[str], bool]:
        """The other sessions of this host, and whether none of them measures anything: they wait for this one."""
        here = {token for token, writer in self.hold.others().items() if writer.host == socket.gethostname()}
        return here, here.isdisjoint(self.claims.others().values())


def _name(unit: Unit) -> str:
    return f"{unit.cell}-{'row' if unit.block is None else unit.block}"


def _tried(row: dict) -> tuple[str, str]:
    """What tells two failures of a cell apart."""
    return str(row["utc"]), str(row["error"])
