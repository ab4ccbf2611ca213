"""A sweep on many workers, simulated event by event: each unit, in the order given, goes to the next free worker."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf, isclose, nan

import numpy as np

NUMBER, LONGEST, START_UP, END = "number of units", "longest unit", "start-up", "uneven end"


@dataclass(frozen=True)
class Schedule:
    """How a sweep went on `workers` workers.

    units: the seconds of each. done: when each of them was. start_up: the seconds before a worker takes its first one.
    lost: workers that were lost before the end. repeated: the seconds of work that were lost with them.
    """

    workers: int
    units: Sequence[float]
    done: Sequence[float]
    start_up: float
    lost: int
    repeated: float

    @property
    def work(self) -> float:
        """The seconds of all units."""
        return sum(self.units)

    @property
    def wall(self) -> float:
        """The seconds until the last unit is done; 0 if there is none."""
        return max(self.done, default=0.0)

    @property
    def efficiency(self) -> float:
        """The work as a fraction of the time that all workers are held for, lost ones included; NaN without work."""
        return self.work / (self.workers * self.wall) if self.wall else nan

    @property
    def limit(self) -> str:
        """What takes most of the time in which workers do nothing, if none is lost."""
        if len(self.units) < self.workers:
            return NUMBER
        if isclose(self.wall, self.start_up + max(self.units)):
            return LONGEST
        idle = self.wall - self.start_up - self.work / self.workers
        return START_UP if self.start_up > idle else END


def simulate(
    units: Sequence[float], workers: int, start_up: float = 0.0, losses: Mapping[int, float] | None = None
) -> Schedule:
    """Run units of these seconds, in their order, on workers that each need `start_up` seconds first.

    losses: the moments at which workers, by number from 0, are lost for good. The unit of a lost worker is the next one
    to be dealt, and starts from the beginning. Raises ValueError if all workers are lost.

    Without losses, the wall time after the start-up is at most the work per worker plus the longest unit: R. L. Graham,
    Bounds on Multiprocessing Timing Anomalies, SIAM J. Appl. Math. 17 (1969), theorem 2.
    """
    losses = losses or {}
    ends = [losses.get(worker, inf) for worker in range(workers)]
    if inf not in ends:
        raise ValueError("a simulation needs a worker that is not lost")
    run = _Run(units, ends, start_up)
    run.finish()
    lost = sum(end < max(run.done, default=0.0) for end in ends)
    return Schedule(workers, units, run.done, start_up, lost, run.repeated)


def random_losses(workers: int, probability: float, wall: float, seed: int) -> dict[int, float]:
    """Workers lost with this probability, each at a random moment before `wall`: moments for `simulate`.

    The one that would be lost last stays if all would be.
    """
    generator = np.random.default_rng(seed)
    moments = generator.uniform(0, wall, workers)
    lost = np.flatnonzero(generator.random(workers) < probability)
    if len(lost) == workers:
        lost = np.delete(lost, moments.argmax())
    return {int(worker): float(moments[worker]) for worker in lost}


class _Run:
    """The state of a simulation. ends: when each worker is lost; infinite for one that stays."""

    def __init__(self, units: Sequence[float], ends: Sequence[float], start_up: float):
        self.units, self.ends = units, ends
        self.waiting = deque(range(len(units)))
        self.idle: list[int] = []  # workers
        self.done = [nan] * len(units)
        self.repeated = 0.0
        # Moment, worker, and the unit that is lost with it at that moment; None for a worker that becomes free.
        self.events: list[tuple[float, int, int | None]] = [(start_up, worker, None) for worker in range(len(ends))]
        heapify(self.events)

    def finish(self) -> None:
        """Run all units."""
        while self.events:
            now, worker, lost = heappop(self.events)
            if lost is None:
                self.idle.append(worker)
            else:
                self.waiting.appendleft(lost)
            self._deal(now)

    def _deal(self, now: float) -> None:
        """Give waiting units to idle workers."""
        while self.waiting and self.idle:
            worker = self.idle.pop()
            end = self.ends[worker]
            if end <= now:  # lost while it had nothing to do
                continue
            unit = self.waiting.popleft()
            done = now + self.units[unit]
            if done <= end:
                self.done[unit] = done
                heappush(self.events, (done, worker, None))
            else:
                self.repeated += end - now
                heappush(self.events, (end, worker, unit))
