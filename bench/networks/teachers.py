"""The ordinary networks that students were distilled from, loaded beside them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import torch

from samplerbench.data.datasets import Dataset, as_picture
from samplerbench.errors import InputError
from samplerbench.methods import Guidance
from samplerbench.models import CheckpointError
from samplerbench.networks.backbone import Backbone, find_checkpoint, load_backbone
from samplerbench.networks.guides import equip
from samplerbench.sampling import reference as trajectory
from samplerbench.sampling.measure import PICTURED


def with_teachers(
    backbones: Mapping[str, Backbone],
    guidances: Collection[Guidance],
    dataset: Dataset,
    folder: str | None,
    needed: bool,
) -> dict[str, Backbone]:
    """The same backbones, where each student has its teacher, which these guidances can guide as well.

    The user's own checkpoint of the teacher goes before the shipped one. One that is missing is left out unless it is
    needed. Raises InputError if it is, and CheckpointError if one does not fit.
    """
    teachers: dict[str, Backbone | None] = {}
    for name, student in backbones.items():
        teacher = student.cost.teacher
        if teacher and teacher not in teachers:
            found = not missing(teacher, name, dataset, folder, needed)
            teachers[teacher] = equip(_load(student, dataset, folder), guidances, dataset, folder) if found else None
    return {name: _beside(student, teachers.get(student.cost.teacher)) for name, student in backbones.items()}


def teacher_pictures(teacher: Backbone, block: int, guidance: Guidance | None, compared: bool) -> np.ndarray:
    """What the teacher's ODE makes of the noise and labels of a block's first images, which a run keeps of each cell.

    compared: whether teacher_distance is measured, which asks for as many or more: then these are solved but once.
    Returns uint8 (n, C, H, W).
    """
    count = max(PICTURED, trajectory.IMAGES) if compared else PICTURED
    images = trajectory.solution(teacher, block, count, trajectory.FINE, guidance)[:PICTURED]
    return as_picture(teacher.finished(images)).cpu().numpy()


def missing(teacher: str, student: str, dataset: Dataset, folder: str | None, needed: bool) -> bool:
    """Whether there is no checkpoint of a student's teacher. Raises InputError if there must be one."""
    try:
        find_checkpoint(folder, dataset.name, teacher)
    except InputError as error:
        if needed:
            raise InputError(f"teacher_distance compares {student} with its teacher, which is gone. {error}") from error
        return True
    return False


def _load(student: Backbone, dataset: Dataset, folder: str | None) -> Backbone:
    """The teacher of a student, in float32 or better: it is solved finely."""
    dtype = torch.promote_types(student.dtype, torch.float32)
    return load_backbone(student.cost.teacher, dataset, folder, student.device, dtype, compiled=False)


def _beside(student: Backbone, teacher: Backbone | None) -> Backbone:
    if teacher and teacher.unet.config.classes != student.unet.config.classes:
        raise CheckpointError(
            f"{student.recipe} was taught by a network of {teacher.recipe} with other classes than those of "
            f"{teacher.source}: restore or retrain one of them."
        )
    return replace(student, teacher=teacher)
