"""A sweep measured by workers, in two phases: quality anywhere, then timing, one cell after another on this machine."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from samplerbench.methods import FAULTS
from samplerbench.sampling.breakdown import FILES, WORKERS, Breakdown
from samplerbench.store.run_directory import RunDirectory
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.dealing import steps_of
from samplerbench.sweep.engine.base import ENGINES, Engine, Setup
from samplerbench.sweep.engine.dispatch import Dispatch, Lost
from samplerbench.sweep.events import CellFinished, Event, Note, UnitsFinished
from samplerbench.sweep.exclusive import Alone
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.prepare import Prepared
from samplerbench.sweep.row import Row, failed_row, failure_of, measured_row, skipped_row
from samplerbench.sweep.unit import BlockResult, Failure, Result, Timing, Unit


@dataclass
class OpenCell:
    """A cell without a row. missing: its seed blocks that are not measured."""

    place: int
    job: Job
    missing: set[int] = field(default_factory=set)


class Parallel:
    """The cells of a sweep that have no row. This process alone writes; workers only save images.

    A finished block is kept in the run directory until its cell is complete.
    """

    def __init__(self, prepared: Prepared, store: RunDirectory, engine: Engine, setup: Setup, spent: Breakdown):
        self.prepared, self.store, self.engine, self.setup, self.spent = prepared, store, engine, setup, spent
        self.cells: dict[str, OpenCell] = {}
        for place, job in enumerate(prepared.jobs):
            cell = cell_key(job, prepared)
            if not store.done(cell):
                self.cells[cell] = OpenCell(place, job)

    def measure(self) -> Iterator[Event]:
        """Measure all of them. Raises InputError if no worker can be started, WriteError if nothing can be written."""
        yield from self._without_units()
        yield from self._phase("units", self.engine, self._blocks())
        if self.prepared.sweep.timing:
            self.alone = Alone(self.store.folder, self.prepared.sweep.shard)
            yield from self._phase("timings", ENGINES.lookup("local")(workers=1), self._timings())
        self.store.arrange(cell_key(job, self.prepared) for job in self.prepared.jobs)

    def _without_units(self) -> Iterator[Event]:
        """Rows of cells that cannot be measured, and of those that were complete when a session was killed."""
        for cell, found in list(self.cells.items()):
            if found.job.skip:
                yield self._close(cell, skipped_row(found.job, self.prepared))
            elif found.job.fault:
                yield self._fail(cell, failure_of(found.job.fault, found.job))
            else:
                found.missing = set(self.prepared.seeds) - self.store.units.read(cell).keys()
                if not (found.missing or self.prepared.sweep.timing):
                    yield self._finish(cell)

    def _blocks(self) -> list[Unit]:
        return [
            Unit(found.place, cell, block, steps_of(found.job))
            for cell, found in self.cells.items()
            for block in self.prepared.seeds
            if block in found.missing
        ]

    def _timings(self) -> list[Unit]:
        """The timings of the cells whose blocks are all measured."""
        return [
            Unit(found.place, cell, None, steps_of(found.job), self._nfe(cell)) for cell, found in self.cells.items()
        ]

    def _nfe(self, cell: str) -> float | None:
        evaluations = [each for block in self._kept(cell).values() for each in block.evaluations]
        return float(np.mean(evaluations)) if evaluations else None

    def _phase(self, phase: str, engine: Engine, units: Sequence[Unit]) -> Iterator[Event]:
        if not units:
            return
        with engine.open(self.setup, self.prepared.device) as pool:
            dispatch = Dispatch(pool, units, self.prepared.sweep.cell_timeout)
            results, done, began = dispatch.results(), 0, time.monotonic()
            yield UnitsFinished(phase, 0, len(units), min(pool.size, len(units)), 0.0)
            while found := self._next(results):
                if isinstance(found, Lost):
                    yield Note(self._lost(found))
                    continue
                unit, result = found
                if isinstance(result, Failure):
                    dispatch.drop(unit.cell)
                yield from self._received(unit, result)
                done += 1
                pace = done / max(time.monotonic() - began, 1e-9)
                yield UnitsFinished(phase, done, done + dispatch.left, pool.size, pace)

    def _next(self, results: Iterator[tuple[Unit, Result] | Lost]) -> tuple[Unit, Result] | Lost | None:
        with self.spent.part(WORKERS):
            return next(results, None)

    def _received(self, unit: Unit, result: Result) -> Iterator[Event]:
        cell, open_cell = unit.cell, self.cells.get(unit.cell)
        if open_cell is None:  # another block of it has failed
            return
        match result:
            case Failure():
                yield self._fail(cell, result)
            case Timing():
                yield self._finish(cell, timing=result)
            case BlockResult():
                open_cell.missing.discard(result.block)
                if open_cell.missing or self.prepared.sweep.timing:
                    with self.spent.part(FILES):
                        self.store.units.add(cell, result.block, result.to_arrays())
                else:
                    yield self._finish(cell, result)

    def _kept(self, cell: str) -> dict[int, BlockResult]:
        return {block: BlockResult.from_arrays(block, each) for block, each in self.store.units.read(cell).items()}

    def _finish(self, cell: str, last: BlockResult | None = None, timing: Timing | None = None) -> CellFinished:
        """Write the row of a cell that is complete. last: a block that was not kept, since the row follows at once."""
        job, blocks = self.cells[cell].job, self._kept(cell) | ({last.block: last} if last else {})
        exclusive = timing is None or self.alone.until_now()
        try:
            row, raw = measured_row(
                job, self.prepared, [blocks[block] for block in self.prepared.seeds], timing, exclusive
            )
        except FAULTS as error:  # a plug-in's metric
            return self._fail(cell, failure_of(error, job))
        return self._close(cell, row, raw)

    def _fail(self, cell: str, failure: Failure) -> CellFinished:
        if failure.traceback:
            self.store.add_traceback(cell, failure.traceback)
        return self._close(cell, failed_row(self.cells[cell].job, self.prepared, failure))

    def _close(self, cell: str, row: Row, raw: dict | None = None) -> CellFinished:
        with self.spent.part(FILES):
            self.store.add(row, raw)
        return CellFinished(row, self.cells.pop(cell).job)

    def _lost(self, lost: Lost) -> str:
        if lost.unit is None:
            return f"A worker {lost.reason}; another one takes its place."
        part = "its timing" if lost.unit.block is None else f"block {lost.unit.block}"
        return f"A worker {lost.reason}: {self.prepared.jobs[lost.unit.place]}, {part}, is measured again."
