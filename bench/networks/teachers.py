"""The undistilled networks at the root of students' teachers, loaded beside them for comparison."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import torch

from samplerbench.data.dataset import Dataset
from samplerbench.errors import InputError
from samplerbench.methods import Guidance
from samplerbench.models import CheckpointError
from samplerbench.networks.checkpoints import CheckpointKey, load_network
from samplerbench.networks.guides import with_guides
from samplerbench.networks.loaded import LoadedNetwork


def with_teachers(
    networks: Mapping[str, LoadedNetwork],
    guidances: Collection[Guidance],
    dataset: Dataset,
    folder: str | None,
    needed: bool,
) -> dict[str, LoadedNetwork]:
    """The same networks, each student with its teacher, which these guidances can guide too.

    needed: whether a metric compares with the teacher; otherwise a missing one is left out.
    Raises InputError if a needed one is missing, CheckpointError if one does not fit.
    """
    teachers: dict[str, LoadedNetwork | None] = {}
    for name, student in networks.items():
        teacher = student.origin.cost.teacher
        if teacher and teacher not in teachers:
            found = _exists(teacher, name, dataset, folder, needed)
            teachers[teacher] = _load(student, guidances, dataset, folder) if found else None
    return {name: _beside(student, teachers.get(student.origin.cost.teacher)) for name, student in networks.items()}


def _exists(teacher: str, student: str, dataset: Dataset, folder: str | None, needed: bool) -> bool:
    try:
        CheckpointKey.of(dataset, teacher).find(folder)
    except InputError as error:
        if needed:
            raise InputError(f"teacher_distance needs the teacher of {student}. {error}") from error
        return False
    return True


def _load(
    student: LoadedNetwork, guidances: Collection[Guidance], dataset: Dataset, folder: str | None
) -> LoadedNetwork:
    """The teacher of a student, in float32 or better, since its ODE is solved finely."""
    dtype = torch.promote_types(student.dtype, torch.float32)
    teacher = load_network(student.origin.cost.teacher, dataset, folder, student.device, dtype)
    return with_guides(teacher, guidances, dataset, folder)


def _beside(student: LoadedNetwork, teacher: LoadedNetwork | None) -> LoadedNetwork:
    if teacher and teacher.classes != student.classes:
        raise CheckpointError(
            f"{student.name} was distilled from a network of {teacher.name} with other classes than those of "
            f"{teacher.origin.source}: restore or retrain one of them."
        )
    return replace(student, teacher=teacher)
