"""One row of results: the one place that makes it, and that turns a failure into a row."""

import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from samplerbench.methods import ContractError, Method
from samplerbench.metrics.scoring import summarise
from samplerbench.store.provenance import commit, fingerprint, utc_now
from samplerbench.store.raw import Arrays
from samplerbench.sweep.block import graphed
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.command import command_of, relative, sources_of
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.options import CheckedSweep
from samplerbench.sweep.prepare import Prepared
from samplerbench.sweep.unit import ROUNDS, BlockResult, Failure, Timing

Row = dict[str, object]


def measured_row(
    job: Job, prepared: Prepared, blocks: Sequence[BlockResult], timing: Timing | None, exclusive: bool = True
) -> tuple[Row, dict[str, Arrays]]:
    """The row of a cell from its seed blocks, in their order, and its timing; and by stem its raw data.

    exclusive: whether nothing else of the sweep ran on that host while it was timed.
    """
    row, first = _identity(job, prepared), blocks[0] if blocks else None
    scores = {name: [block.scores[name] for block in blocks] for name in (first.scores if first else ())}
    if first:
        evaluations = [each for block in blocks for each in block.evaluations]
        row |= {"nfe": float(np.mean(evaluations)), "redraw_difference": first.redraw_difference}
    elif timing:
        row |= {"nfe": timing.nfe, "redraw_difference": timing.redraw_difference}
    row |= summarise(scores, prepared.scorer.columns)
    raw: dict[str, Arrays] = {str(row["cell"]): _raw_arrays(first, timing, scores)}
    if first:
        raw |= {stem: {"images": images} for stem, images in first.teacher.items()}
    return row | (_speed(timing, exclusive) if timing else {}), raw


def skipped_row(job: Job, prepared: Prepared) -> Row:
    """The row of a cell that is not measured."""
    return _identity(job, prepared) | {"status": "skipped", "error": job.skip}


def failed_row(job: Job, prepared: Prepared, failure: Failure) -> Row:
    """The row of a cell that could not be measured."""
    return _identity(job, prepared) | {"status": "failed", "error": failure.reason}


def failure_of(error: BaseException, job: Job) -> Failure:
    """What an exception makes of a cell."""
    return Failure(one_line(error, job.sampler.method), "".join(traceback.format_exception(error)))


def _speed(timing: Timing, exclusive: bool) -> dict[str, object]:
    """The columns on speed. A timing that shared its host with the sweep's other work is noisy, however even."""
    noisy = timing.columns["noisy"] if exclusive else "true"
    return {**timing.columns, "host": timing.host, "exclusive": str(exclusive).lower(), "noisy": noisy}


def _identity(job: Job, prepared: Prepared) -> Row:
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
    return str(graphed(job, sweep)).lower()


def _raw_arrays(first: BlockResult | None, timing: Timing | None, scores: Mapping[str, list[float]]) -> Arrays:
    """What is kept beside a row: the first images, the timings in order, and the values per seed block."""
    pictured = {} if first is None or first.pictured is None else {"images": first.pictured}
    rounds = timing.rounds if timing else {f"{name}_s": np.array([]) for name in ROUNDS}
    return {**pictured, **rounds, **{name: np.array(values) for name, values in scores.items()}}


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
