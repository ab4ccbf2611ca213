"""The hash of everything that determines a row: a cell whose hash is in the run directory has been measured."""

from samplerbench.store.provenance import code_digest, device_name, fingerprint
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.prepare import Prepared


def cell_key(job: Job, prepared: Prepared) -> str:
    """The hash of a job's row, including the code that samples."""
    sweep, network, sampler = prepared.sweep, prepared.network(job), job.sampler
    guidance = sampler.guidance
    conditions = {
        "job": [str(sampler.method), job.recipe, sampler.grid, sampler.steps, job.skip],
        "network": [sweep.preset, network.origin.digest, sweep.dtype, sweep.compile],
        "guidance": guidance and [str(guidance), network.guide_digest(guidance)],
        "measured": [sweep.quality and prepared.scorer.specs, sweep.timing, sweep.batch_size, sweep.save_images],
        "machine": [str(prepared.device), device_name(prepared.device)],
        "code": code_digest(type(sampler.method)),
        "protocol": prepared.protocol,
    }
    if sampler.grid in prepared.grid_files:
        conditions["grid"] = prepared.grid_files[sampler.grid]
    if prepared.scorer.needs("teacher") and network.teacher:
        teacher = network.teacher
        conditions["teacher"] = [teacher.origin.digest, guidance and teacher.guide_digest(guidance)]
    return fingerprint(conditions)
