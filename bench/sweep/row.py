"""One row of results: the one place that makes it, and that turns a failure into a row."""

import sys
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from samplerbench.data.dataset import displayed
from samplerbench.errors import WriteError
from samplerbench.methods import FAULTS, ContractError, Method
from samplerbench.metrics.scoring import summarise
from samplerbench.networks.closed_form import one_thread
from samplerbench.sampling import reference
from samplerbench.sampling.breakdown import FILES, SOLUTIONS
from samplerbench.sampling.cuda_graph import cuda_graph
from samplerbench.sampling.measure import PICTURED, Measurement, measure
from samplerbench.store.columns import joined
from samplerbench.store.provenance import commit, fingerprint, utc_now
from samplerbench.store.run_directory import Arrays, RunDirectory, teacher_stem
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.command import command_of, relative, sources_of
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.options import CheckedSweep
from samplerbench.sweep.prepare import Prepared


def measure_row(
    job: Job, prepared: Prepared, store: RunDirectory, found: Measurement
) -> tuple[dict[str, object], dict[str, Arrays]]:
    """Measure a cell; returns its row, and by stem the raw data it was made from. `found` shows the progress.

    Raises WriteError if the store cannot be written, which is not the fault of the cell.
    """
    row = _identity(job, prepared)
    if job.skip:
        return row | {"status": "skipped", "error": job.skip}, {}
    try:
        if job.fault:
            raise job.fault
        if row["cuda_graph"] == "true":
            found.capture = cuda_graph
        with one_thread() if prepared.network(job).exact else nullcontext():
            scores = _measure(job, prepared, store, found, str(row["cell"]))
            with found.spent.part(SOLUTIONS):
                teacher = _teacher_images(job, prepared)
        quality = summarise(scores, prepared.scorer.columns)
    except WriteError:
        raise
    except FAULTS as error:  # a plug-in may raise anything
        if prepared.device.type == "cuda":
            torch.cuda.empty_cache()
        store.add_traceback(str(row["cell"]), "".join(traceback.format_exception(error)))
        return row | {"status": "failed", "error": one_line(error, job.sampler.method)}, {}
    row |= (
        {"nfe": found.nfe, "redraw_difference": found.redraw_difference}
        | quality
        | (_as_text(found.speed()) if prepared.sweep.timing else {})
    )
    return row, {str(row["cell"]): _raw_arrays(found, scores)} | teacher


def _measure(
    job: Job, prepared: Prepared, store: RunDirectory, found: Measurement, cell: str
) -> dict[str, list[float]]:
    """Generate, time and score: images pass through, batch by batch, and are not held."""
    sweep, network, scoring = prepared.sweep, prepared.network(job), prepared.scorer.start()
    with store.images(cell, prepared.samples) if sweep.save_images else nullcontext() as saved:
        for batch in measure(job.sampler, network, found, prepared.samples, prepared.seeds, sweep.timing):
            scoring.add(batch)
            if saved:
                with found.spent.part(FILES):
                    saved.add(batch.block, batch.images.cpu().numpy())
    return scoring.columns() | prepared.scorer.evaluate(job.sampler, network, prepared.seeds)


def _teacher_images(job: Job, prepared: Prepared) -> dict[str, Arrays]:
    """By stem, the images of a student's teacher from the noise of the pictured ones; empty without one."""
    teacher, guidance = prepared.network(job).teacher, job.sampler.guidance
    if not (teacher and prepared.seeds):
        return {}
    # teacher_distance solves as many or more of them: then these are solved only once.
    count = max(PICTURED, reference.IMAGES) if prepared.scorer.needs("teacher") else PICTURED
    images = teacher.images(
        reference.reference_solution(teacher, prepared.seeds[0], count, guidance=guidance)[:PICTURED]
    )
    return {teacher_stem(teacher.name, str(guidance or "")): {"images": displayed(images).cpu().numpy()}}


def _identity(job: Job, prepared: Prepared) -> dict[str, object]:
    """The columns that say what was measured, and on what."""
    sweep, network, sampler = prepared.sweep, prepared.network(job), job.sampler
    return {
        "method": sampler.method.name,
        "options": sampler.method.options,
        "recipe": relative(job.recipe),
        "dataset": relative(sweep.dataset or sweep.preset or ""),
        "resolution": network.picture_shape[-1],
        "grid": sampler.grid or "",
        "own_grid": job.default_grid,
        "steps": sampler.steps,
        "guidance": str(sampler.guidance or ""),
        "condition": relative(network.condition),
        "seeds": ",".join(map(str, prepared.seeds)),
        "samples": sweep.samples if sweep.quality else None,
        "device": str(prepared.device),
        "dtype": sweep.dtype,
        "batch_size": prepared.batch_size,
        "compiled": str(sweep.compile).lower(),
        "cuda_graph": _cuda_graph(job, sweep),
        **network.origin.cost.columns,
        "environment": fingerprint(prepared.environment),
        "status": "ok",
        "error": "",
        "cell": cell_key(job, prepared),
        "protocol": prepared.protocol,
        "command": command_of(job, prepared.settled),
        "weights": "; ".join(f"{name}: {source}" for name, source in sources_of(network).items()),
        "commit": commit(),
        "utc": utc_now(),
    }


def _cuda_graph(job: Job, sweep: CheckedSweep) -> str:
    """Whether the cell runs as a CUDA graph: true, false if its method reads states, or empty if none is asked for."""
    if not sweep.cuda_graph or job.skip or job.fault:
        return ""
    return str(not job.sampler.reads_states).lower()


def _as_text(speed: Mapping[str, object]) -> dict[str, object]:
    """The columns on speed with lists as text, since a cell of a CSV is one value."""
    return {name: joined(value) if isinstance(value, list) else value for name, value in speed.items()}


def _raw_arrays(found: Measurement, scores: Mapping[str, list[float]]) -> dict[str, np.ndarray]:
    """What is kept beside a row: the first images, the timings in order, and the values per seed block."""
    first = {} if found.pictured is None else {"images": found.pictured.numpy()}
    timings = {f"{name}_s": np.array(found.column(name)) for name in ("latency", "inside", "decoding", "forward")}
    return first | timings | {name: np.array(values) for name, values in scores.items()}


def one_line(error: BaseException, method: Method) -> str:
    """An exception as a row's reason: its kind, its message, and the line of the method's own code that led to it."""
    message = " ".join(str(error).split())[:300]
    if isinstance(error, ContractError):
        return message
    place = _place(traceback.extract_tb(error.__traceback__), method)
    return f"{type(error).__name__}: {message} ({Path(place.filename).name}:{place.lineno})"


def _place(frames: traceback.StackSummary, method: Method) -> traceback.FrameSummary:
    """The innermost frame in the project of a plug-in, or of all for one of ours."""
    module = sys.modules[type(method).__module__]
    name, file = module.__name__, getattr(module, "__file__", None)
    if file is None or name.startswith("samplerbench."):
        return frames[-1]
    depth = name.count(".")
    project = Path(file).parents[depth - 1] if depth else Path(file)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(project)]
    return (own or frames)[-1]
