"""The hash of everything that determines a row: a cell whose hash is in the run directory has been measured."""

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import get_grid
from samplerbench.store.provenance import device_name, fingerprint
from samplerbench.store.source import code_digest
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.options import CheckedSweep
from samplerbench.sweep.prepare import Prepared

MEASURING = ("samplerbench.networks.checkpoints", "samplerbench.sampling.measure", "samplerbench.metrics.scoring")


def cell_key(job: Job, prepared: Prepared) -> str:
    """The hash of a job's row, including the code that samples, measures and scores it."""
    sweep, network, sampler = prepared.sweep, prepared.network(job), job.sampler
    guidance = sampler.guidance
    conditions = {
        "job": [str(sampler.method), job.recipe, sampler.grid, sampler.steps, job.skip, repr(job.fault or "")],
        "network": [sweep.preset, network.origin.digest, sweep.dtype, sweep.compile, *_backends(sweep)],
        "guidance": guidance and [str(guidance), network.guide_digest(guidance)],
        "measured": [sweep.quality and prepared.scorer.specs, sweep.timing, sweep.batch_size, sweep.save_images],
        "machine": [str(prepared.device), device_name(prepared.device)],
        "code": code_digest(*_code(job, prepared)),
        "protocol": prepared.protocol,
    }
    if sampler.grid in prepared.grid_files:
        conditions["grid"] = prepared.grid_files[sampler.grid]
    if network.conditions is not None:
        conditions["condition"] = [network.condition, network.conditions.digest]
    if prepared.scorer.needs("teacher") and network.teacher:
        teacher = network.teacher
        conditions["teacher"] = [teacher.origin.digest, guidance and teacher.guide_digest(guidance)]
    return fingerprint(conditions)


def _backends(sweep: CheckedSweep) -> list[str]:
    """How a GPU is asked to run it."""
    return [name for name in ("cuda_graph", "cudnn_benchmark") if getattr(sweep, name)]


def _code(job: Job, prepared: Prepared) -> list[type | str]:
    """The modules and the plug-ins that can change a row."""
    sampler, sweep = job.sampler, prepared.sweep
    grid = get_grid(sampler.grid or "uniform")
    metrics = [plugin for metric in prepared.scorer.metrics for plugin in (metric, *metric.plugins)]
    plugins = [sampler.method, sampler.recipe, sampler.guidance, grid, *metrics]
    dataset = DATASETS.get(sweep.dataset) if sweep.dataset else None
    of_plugins = (type(plugin) for plugin in (*plugins, dataset) if plugin)
    return [*MEASURING, *of_plugins, *prepared.network(job).code]


def sweep_key(prepared: Prepared) -> str:
    """The hash of the keys of all cells, in their order: two processes with the same one measure the same.

    Without faulty jobs, which are not measured, and whose error may name places in memory.
    """
    return fingerprint(["" if job.fault else cell_key(job, prepared) for job in prepared.jobs])
