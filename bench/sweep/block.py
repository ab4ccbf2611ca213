"""The seed blocks of a cell, measured: generated, timed and scored, batch by batch, so that no image is held."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext

import numpy as np

from samplerbench.data.dataset import displayed
from samplerbench.metrics.scoring import CellScorer
from samplerbench.networks.closed_form import one_thread
from samplerbench.sampling import reference
from samplerbench.sampling.breakdown import FILES, SOLUTIONS
from samplerbench.sampling.cuda_graph import cuda_graph
from samplerbench.sampling.measure import PICTURED, Measurement, measure
from samplerbench.store.columns import joined
from samplerbench.store.images import SavedImages
from samplerbench.store.place import Place
from samplerbench.store.raw import teacher_stem
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.options import CheckedSweep
from samplerbench.sweep.prepare import Prepared
from samplerbench.sweep.unit import ROUNDS, BlockResult, Timing


def measure_blocks(
    job: Job, prepared: Prepared, blocks: Sequence[int], found: Measurement, timing: bool, images: SavedImages | None
) -> Iterator[BlockResult]:
    """Measure seed blocks of a cell, each yielded as soon as it is finished; with `timing`, all of it is timed.

    found: gets the timings, and shows the progress. images: where all of them go, if they are kept.
    Raises WriteError if they cannot be written, and whatever the method, a metric or the device raises.
    """
    network = prepared.network(job)
    found.capture = cuda_graph if graphed(job, prepared.sweep) else None
    with one_thread() if network.exact else nullcontext(), images or nullcontext():
        scoring, first = prepared.scorer.start(), len(found.evaluations)
        for batch in measure(job.sampler, network, found, prepared.samples, tuple(blocks), timing):
            scoring.add(batch)
            if images:
                with found.spent.part(FILES):
                    images.add(batch.block, batch.images.cpu().numpy())
            if batch.indices.stop == prepared.samples:
                yield _result(job, prepared, batch.block, scoring, found, found.evaluations[first:])
                scoring, first = prepared.scorer.start(), len(found.evaluations)


def graphed(job: Job, sweep: CheckedSweep) -> bool:
    """Whether the cell runs as a CUDA graph, which a method that reads its states cannot."""
    return sweep.cuda_graph and not job.sampler.reads_states


def images_of(cell: str, prepared: Prepared, run: Place) -> SavedImages | None:
    """Where the images of a cell go in a run directory; None if they are not kept."""
    return SavedImages(run / "images", cell, prepared.samples) if prepared.sweep.save_images else None


def timing_of(found: Measurement) -> Timing:
    """The timing of a cell that was measured in this process."""
    assert found.redraw_difference is not None, "a cell is measured before its timing is read"
    # A cell of a CSV is one value.
    speed = {name: joined(value) if isinstance(value, list) else value for name, value in found.speed().items()}
    rounds = {f"{name}_s": np.array(found.column(name)) for name in ROUNDS}
    return Timing(found.nfe, found.redraw_difference, speed, rounds, socket.gethostname())


def _result(
    job: Job,
    prepared: Prepared,
    block: int,
    scoring: CellScorer,
    found: Measurement,
    evaluations: Sequence[float],
) -> BlockResult:
    scores = scoring.columns() | prepared.scorer.evaluate(job.sampler, prepared.network(job), [block])
    values = {name: value for name, (value,) in scores.items()}
    assert found.redraw_difference is not None, "it is measured before the first batch"
    if block != prepared.seeds[0]:
        return BlockResult(block, values, evaluations, found.redraw_difference)
    pictured = None if found.pictured is None else found.pictured.numpy()
    with found.spent.part(SOLUTIONS):
        teacher = _teacher_images(job, prepared)
    return BlockResult(block, values, evaluations, found.redraw_difference, pictured, teacher)


def _teacher_images(job: Job, prepared: Prepared) -> Mapping[str, np.ndarray]:
    """By stem, the images of a student's teacher from the noise of the pictured ones; empty without one."""
    teacher, guidance = prepared.network(job).teacher, job.sampler.guidance
    if not teacher:
        return {}
    # teacher_distance solves as many or more of them: then these are solved only once.
    count = max(PICTURED, reference.IMAGES) if prepared.scorer.needs("teacher") else PICTURED
    images = teacher.images(
        reference.reference_solution(teacher, prepared.seeds[0], count, guidance=guidance)[:PICTURED]
    )
    return {teacher_stem(teacher.name, str(guidance or "")): displayed(images).cpu().numpy()}
