"""The next unit, largest first, to a free worker; and again if its worker dies, at most twice."""

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

from samplerbench.errors import InputError
from samplerbench.sweep.engine.base import Gone, Message, Pool, Ready, Refused
from samplerbench.sweep.unit import Failure, Result, Unit

W = TypeVar("W", bound=Hashable)

TRIES = 3  # of a unit whose worker dies, and of starting workers that die before they are ready


@dataclass(frozen=True)
class Lost:
    """A worker has died, and its unit is measured again. unit: None for a worker that had none."""

    unit: Unit | None
    reason: str


class Dispatch(Generic[W]):
    """The measuring of units by a pool.

    limit: seconds that a unit may take; its worker is then killed. take: whether a unit is to be measured, asked right
    before it is sent; those that are not have no result.
    """

    def __init__(
        self,
        pool: Pool[W],
        units: Sequence[Unit],
        limit: float | None = None,
        take: Callable[[Unit], bool] = lambda unit: True,
    ):
        self.pool, self.limit, self.take = pool, limit, take
        self.waiting = deque(sorted(units, key=lambda unit: -unit.work))
        self.slots: dict[W, int] = {}
        self.free: list[W] = []
        self.running: dict[W, tuple[Unit, float]] = {}  # with its deadline
        self.tries: Counter[Unit] = Counter()
        self.lost_at_start = 0

    @property
    def left(self) -> int:
        """Units without a result."""
        return len(self.waiting) + len(self.running)

    def drop(self, cell: str) -> None:
        """Forget the units of a cell that has failed."""
        self.waiting = deque(unit for unit in self.waiting if unit.cell != cell)

    def results(self) -> Iterator[tuple[Unit, Result] | Lost]:
        """Measure all units; yields their results as they come. Raises InputError if no worker can be started."""
        for slot in range(min(self.pool.size, len(self.waiting))):
            self._start(slot)
        while self.waiting or self.running:
            self._assign()
            if not (self.waiting or self.running):
                return
            nearest = min((deadline for _, deadline in self.running.values()), default=inf)
            seconds = None if nearest == inf else max(0.0, nearest - time.monotonic())
            for worker, message in self.pool.receive(self.slots.keys(), seconds):
                yield from self._received(worker, message)
            yield from self._overdue()

    def _start(self, slot: int) -> None:
        self.slots[self.pool.start(slot)] = slot

    def _assign(self) -> None:
        while self.free and self.waiting:
            unit = self.waiting.popleft()
            if not self.take(unit):
                continue
            worker = self.free.pop()
            self.running[worker] = (unit, time.monotonic() + self.limit if self.limit else inf)
            self.pool.send(worker, unit)

    def _received(self, worker: W, message: Message) -> Iterator[tuple[Unit, Result] | Lost]:
        match message:
            case Ready():
                self.free.append(worker)
                self.lost_at_start = 0
            case Refused(reason):
                raise InputError(reason)
            case Gone(reason):
                yield from self._lost(worker, reason)
            case _:
                unit, _ = self.running.pop(worker)
                self.free.append(worker)
                yield unit, message

    def _lost(self, worker: W, reason: str) -> Iterator[tuple[Unit, Result] | Lost]:
        """A dead worker is replaced, and its unit is tried again, or fails."""
        unit, _ = self.running.pop(worker, (None, inf))
        starting = unit is None and worker not in self.free
        if starting:
            self.lost_at_start += 1
            if self.lost_at_start == TRIES:
                raise InputError(
                    f"{TRIES} workers died while they started (the last one {reason}): give fewer --workers if memory "
                    "is short, and in a script call samplerbench.run below `if __name__ == '__main__':`."
                )
        if unit:
            self.tries[unit] += 1
        if unit and self.tries[unit] == TRIES:
            yield unit, Failure(f"its worker died {TRIES} times: the last one {reason}")
        else:
            self.waiting.extendleft([unit] if unit else [])
            yield Lost(unit, reason)
        self._replace(worker)

    def _overdue(self) -> Iterator[tuple[Unit, Result]]:
        now = time.monotonic()
        for worker, (unit, deadline) in list(self.running.items()):
            if deadline <= now:
                del self.running[worker]
                self.pool.kill(worker)
                yield unit, Failure(f"stopped after {self.limit:g} seconds, the limit of --cell-timeout")
                self._replace(worker)

    def _replace(self, worker: W) -> None:
        """Start another worker in the slot if units are left, after the caller has dropped those of a failed cell."""
        slot = self.slots.pop(worker)
        if worker in self.free:
            self.free.remove(worker)
        if self.waiting:
            self._start(slot)
