"""The networks that a sweep runs on, one for each recipe, ready before anything is measured."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from samplerbench.data.datasets import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import get_recipe
from samplerbench.networks.backbone import Backbone, load_backbone, random_backbone
from samplerbench.networks.guides import equip
from samplerbench.sweep.plan import DTYPES, Job, Sweep


def load_networks(jobs: Sequence[Job], sweep: Sweep, device: torch.device) -> tuple[list[Job], dict[str, Backbone]]:
    """The jobs, and by recipe the networks they run on, with what their guidances need.

    Where the checkpoint of one stage of a method is missing, as of one number of steps, its job is skipped and says so.
    Raises InputError or CheckpointError where a main checkpoint is missing or does not fit, or all are missing.
    """
    backbones: dict[str, Backbone] = {}
    found, missing = [], []
    for job in jobs:
        try:
            if job.recipe not in backbones:
                backbones[job.recipe] = _load(job.recipe, jobs, sweep, device)
        except InputError as error:
            main, missing = str(get_recipe(job.method.recipe)), [*missing, error]
            if sweep.recipe or job.recipe == main or len(missing) == len(jobs):
                raise
            backbones[main] = backbones.get(main) or _load(main, jobs, sweep, device)
            job = replace(job, recipe=main, skip=str(error))
        found.append(job)
    return found, backbones


def _load(recipe: str, jobs: Sequence[Job], sweep: Sweep, device: torch.device) -> Backbone:
    if sweep.preset:
        return random_backbone(recipe, sweep.preset, device, DTYPES[sweep.dtype], sweep.compile)
    dataset = DATASETS.get(sweep.dataset)
    backbone = load_backbone(recipe, dataset, sweep.weights, device, DTYPES[sweep.dtype], sweep.compile)
    guidances = [job.guidance for job in jobs if job.recipe == recipe and job.guidance]
    return equip(backbone, guidances, dataset, sweep.weights)
