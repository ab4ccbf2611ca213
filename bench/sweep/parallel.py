"""A sweep measured by workers, in two phases: quality anywhere, then timing, one cell after another on this machine."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from samplerbench.methods import FAULTS
from samplerbench.sampling.breakdown import FILES, WORKERS, Breakdown
from samplerbench.store.run_directory import RunDirectory
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.dealing import steps_of
from samplerbench.sweep.engine.base import ENGINES, Engine, Setup
from samplerbench.sweep.engine.dispatch import Dispatch, Lost
from samplerbench.sweep.events import CellFinished, Event, Note, UnitsFinished
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.prepare import Prepared
from samplerbench.sweep.row import Row, failed_row, failure_of, measured_row, skipped_row
from samplerbench.sweep.share import Share
from samplerbench.sweep.unit import BlockResult, Failure, Result, Timing, Unit


@dataclass
class OpenCell:
    """A cell without a row. missing: its seed blocks that are not measured."""

    place: int
    job: Job
    missing: set[int] = field(default_factory=set)

    @property
    def unmeasured(self) -> bool:
        """Whether it cannot be measured."""
        return bool(self.job.skip or self.job.fault)


class Parallel:
    """The cells of a sweep that have no row. Workers only save images: this process writes all else.

    A finished block is kept in the run directory until its cell is complete. share: what of them this session measures.
    """

    def __init__(
        self, prepared: Prepared, store: RunDirectory, engine: Engine, setup: Setup, spent: Breakdown, share: Share
    ):
        self.prepared, self.store, self.engine, self.setup, self.spent = prepared, store, engine, setup, spent
        self.share = share
        self.cells: dict[str, OpenCell] = {}
        for place, job in enumerate(prepared.jobs):
            cell = cell_key(job, prepared)
            if not store.done(cell):
                self.cells[cell] = OpenCell(place, job)
                store.units.read(cell)  # without those that are damaged

    def measure(self) -> Iterator[Event]:
        """Measure all of them. Raises InputError if no worker can be started, WriteError if nothing can be written."""
        yield from self._look(self.cells)
        while self.cells:
            scored = self.prepared.sweep.timing and not self._blocks()
            yield from self._timed() if scored else self._scored()
            yield from self._look(self.cells)
        self.store.arrange(cell_key(job, self.prepared) for job in self.prepared.jobs)

    def _scored(self) -> Iterator[Event]:
        """Measure the blocks that no other session does, or wait for those."""
        units = self.share.free(self._blocks())
        yield from self._phase("units", self.engine, units) if units else self.share.wait()

    def _timed(self) -> Iterator[Event]:
        """Time the cells that no other session does, or wait for those."""
        with self.share.timing() as ours:
            units = self.share.free(self._timings()) if ours else []
            yield from self._phase("timings", ENGINES.lookup("local")(workers=1), self._with_nfe(units))
        if not units:
            yield from self.share.wait()

    def _look(self, cells: Collection[str]) -> Iterator[Event]:
        """Rows of cells from other sessions, of those that cannot be measured, and of those that are complete."""
        cells = [*cells]
        for cell in self.share.closed(cells):
            yield CellFinished(self.store.rows[cell], self.cells.pop(cell).job)
        for cell, found in [(cell, self.cells[cell]) for cell in cells if cell in self.cells]:
            found.missing = set() if found.unmeasured else set(self.prepared.seeds) - self.store.units.blocks(cell)
            row = Unit(found.place, cell, None)
            if (found.unmeasured or not (found.missing or self.prepared.sweep.timing)) and self.share.take(row):
                yield from self._without_units(cell, found.job)
                self.share.release(row)

    def _without_units(self, cell: str, job: Job) -> Iterator[CellFinished]:
        """The row of a cell that needs no worker."""
        if job.skip:
            yield self._close(cell, skipped_row(job, self.prepared))
        elif job.fault:
            yield self._fail(cell, failure_of(job.fault, job))
        else:
            yield from self._finish(cell)

    def _blocks(self) -> list[Unit]:
        return [
            Unit(found.place, cell, block, steps_of(found.job))
            for cell, found in self.cells.items()
            for block in self.prepared.seeds
            if block in found.missing
        ]

    def _timings(self) -> list[Unit]:
        """The timings of the cells, whose blocks are all measured."""
        return [Unit(found.place, cell, None, steps_of(found.job)) for cell, found in self.cells.items()]

    def _with_nfe(self, units: Sequence[Unit]) -> list[Unit]:
        return [replace(unit, nfe=self._nfe(unit.cell)) for unit in units]

    def _nfe(self, cell: str) -> float | None:
        evaluations = [each for block in self._kept(cell).values() for each in block.evaluations]
        return float(np.mean(evaluations)) if evaluations else None

    def _phase(self, phase: str, engine: Engine, units: Sequence[Unit]) -> Iterator[Event]:
        if not units:
            return
        with engine.open(self.setup, self.prepared.device) as pool:
            dispatch = Dispatch(pool, units, self.prepared.sweep.cell_timeout, self.share.take)
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
                self.share.release(unit)
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
                yield from self._finish(cell, timing=result)
            case BlockResult():
                open_cell.missing.discard(result.block)
                if open_cell.missing or self.prepared.sweep.timing:
                    with self.spent.part(FILES):
                        self.store.units.add(cell, result.block, result.to_arrays())
                    yield from self._look([cell])  # other sessions may have measured the rest
                else:
                    yield from self._finish(cell, result)

    def _kept(self, cell: str) -> dict[int, BlockResult]:
        return {block: BlockResult.from_arrays(block, each) for block, each in self.store.units.read(cell).items()}

    def _finish(
        self, cell: str, last: BlockResult | None = None, timing: Timing | None = None
    ) -> Iterator[CellFinished]:
        """Write the row of a cell that is complete. last: a block that was not kept, since the row follows at once.

        Without one of its blocks, another session has just written the row and deleted them: NFS shows that later.
        """
        job, blocks = self.cells[cell].job, self._kept(cell) | ({last.block: last} if last else {})
        exclusive = timing is None or self.share.exclusive()
        if not blocks.keys() >= set(self.prepared.seeds):
            return
        try:
            row, raw = measured_row(
                job, self.prepared, [blocks[block] for block in self.prepared.seeds], timing, exclusive
            )
        except FAULTS as error:  # a plug-in's metric
            yield self._fail(cell, failure_of(error, job))
        else:
            yield self._close(cell, row, raw)

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
