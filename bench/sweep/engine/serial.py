"""One cell in this process: its images are scored and timed in one pass."""

import time

import torch

from samplerbench.errors import WriteError
from samplerbench.methods import FAULTS
from samplerbench.sampling.breakdown import FILES
from samplerbench.sampling.measure import Measurement
from samplerbench.store.raw import Arrays
from samplerbench.store.run_directory import RunDirectory
from samplerbench.sweep.block import images_of, measure_blocks, timing_of
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.exclusive import Alone
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.prepare import Prepared
from samplerbench.sweep.row import Row, failed_row, failure_of, measured_row, skipped_row
from samplerbench.sweep.unit import BlockResult

KEPT_S = 0.1  # of a block that is kept: to write one takes some milliseconds


def measure_cell(
    job: Job, prepared: Prepared, store: RunDirectory, found: Measurement, alone: Alone | None = None
) -> tuple[Row, dict[str, Arrays]]:
    """Measure what is missing of a cell; returns its row, and by stem its raw data. `found` shows the progress.

    alone: looks for other shards on this host; without it there are none.
    Raises WriteError if the store cannot be written, which is not the fault of the cell.
    """
    if job.skip:
        return skipped_row(job, prepared), {}
    try:
        if job.fault:
            raise job.fault
        blocks = _all_blocks(job, prepared, store, found)
        timing = timing_of(found) if prepared.sweep.timing else None
        return measured_row(job, prepared, blocks, timing, alone is None or alone.until_now())
    except WriteError:
        raise
    except FAULTS as error:  # a plug-in may raise anything
        if prepared.device.type == "cuda":
            torch.cuda.empty_cache()
        failure = failure_of(error, job)
        store.add_traceback(cell_key(job, prepared), failure.traceback)
        return failed_row(job, prepared, failure), {}


def _all_blocks(job: Job, prepared: Prepared, store: RunDirectory, found: Measurement) -> list[BlockResult]:
    """The seed blocks: those that an earlier session has kept, and the others, which are kept in turn."""
    cell = cell_key(job, prepared)
    blocks = {block: BlockResult.from_arrays(block, arrays) for block, arrays in store.units.read(cell).items()}
    missing = [block for block in prepared.seeds if block not in blocks]
    found.evaluations += [each for block in blocks.values() for each in block.evaluations]
    images = images_of(cell, prepared, store.folder)
    began = time.monotonic()
    for result in measure_blocks(job, prepared, missing, found, prepared.sweep.timing, images):
        blocks[result.block] = result
        if result.block != missing[-1] and time.monotonic() - began >= KEPT_S:  # after the last one, the row follows
            with found.spent.part(FILES):
                store.units.add(cell, result.block, result.to_arrays())
        began = time.monotonic()
    return [blocks[block] for block in prepared.seeds]
