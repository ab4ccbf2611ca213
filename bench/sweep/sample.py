"""`bench sample`: images of one method."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from samplerbench.data.dataset import DATASETS, to_uint8
from samplerbench.errors import InputError
from samplerbench.methods import METHODS, Sampler
from samplerbench.networks.checkpoints import load_network
from samplerbench.networks.conditioned import reconditioned
from samplerbench.networks.devices import measuring_device
from samplerbench.networks.guides import with_guides
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.generate import generate_batches
from samplerbench.sweep.jobs import Job, expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import CheckedSweep, SampleOptions, Sweep
from samplerbench.sweep.prepare import load_models

BATCH = 256
STEPS = 10  # by default


@dataclass(frozen=True)
class Drawn:
    """Images (N, C, H, W), uint8, and the network evaluations that each took."""

    images: Tensor
    nfe: float


def draw_images(options: SampleOptions) -> Drawn:
    """Draw images, the same as those of a cell of `bench run` with this seed block.

    Raises InputError, SpecError or CheckpointError for what cannot be drawn.
    """
    sweep = _sweep(options)
    device = measuring_device(sweep.device)
    models = load_models(sweep, device)
    job = _only_job(sweep, models)
    network = _network(job, models, sweep, device)
    sampler = replace(job.sampler, learned_path=network.path)
    images, evaluations = _draw(sampler, network, options.seed, options.count)
    return Drawn(images, evaluations / options.count)


def _sweep(options: SampleOptions) -> CheckedSweep:
    steps = options.steps or METHODS.get(options.method).nearest_steps(STEPS)
    return normalise(
        Sweep(
            methods=[options.method], steps=steps, dataset=options.dataset, model=options.model,
            recipe=options.recipe, condition=options.condition, grid=options.grid, guidance=options.guidance,
            device=options.device, weights=options.weights,
        )
    )  # fmt: skip


def _only_job(sweep: CheckedSweep, models: Mapping[str, LoadedNetwork]) -> Job:
    """The one cell of the sweep."""
    if len(sweep.grid or ()) > 1:
        raise InputError(f"A picture has one time grid: give --grid one name, not {len(sweep.grid or ())}.")
    if len(sweep.model or ()) > 1:
        raise InputError("A picture shows one network: give --model one spec.")
    job, *others = expand(sweep, {spec: network.parametrisation for spec, network in models.items()})
    if others:
        raise InputError("A picture shows one method: give --guidance one value.")
    if job.skip:
        raise InputError(f"{job.sampler.method} cannot be drawn: {job.skip}.")
    return job


def _network(job: Job, models: Mapping[str, LoadedNetwork], sweep: CheckedSweep, device: torch.device) -> LoadedNetwork:
    dataset = DATASETS.get(str(sweep.dataset))
    network = models.get(job.recipe) or load_network(job.recipe, dataset, sweep.weights, device, strict=True)
    if sweep.condition:
        network = reconditioned({job.recipe: network}, sweep.condition)[job.recipe]
    return with_guides(network, [job.sampler.guidance] if job.sampler.guidance else [], dataset, sweep.weights)


def _draw(sampler: Sampler, network: LoadedNetwork, seed: int, count: int) -> tuple[Tensor, int]:
    """The images, and the evaluations of single images that all of them took."""
    batches, evaluations = [], 0
    for run in generate_batches(sampler, network, seed, count, BATCH):
        batches.append(to_uint8(network.images(run.images)).cpu())
        evaluations += run.network.evaluations
    return torch.cat(batches), evaluations
