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
from samplerbench.networks.loaded import Home, LoadedNetwork


def with_teachers(
    networks: Mapping[str, LoadedNetwork],
    guidances: Collection[Guidance],
    dataset: Dataset,
    folder: str | None,
    needed: bool,
) -> dict[str, LoadedNetwork]:
    """The same networks, each student with its teacher, which these guidances can guide too.

    dataset, folder: where teachers are sought for students that do not say.
    needed: whether a metric compares with the teacher; otherwise a missing one is left out.
    Raises InputError if a needed one is missing, CheckpointError if one does not fit.
    """
    teachers: dict[tuple[str, str], LoadedNetwork | None] = {}
    beside = {}
    for name, student in networks.items():
        home, teacher = student.home or Home(dataset, folder), student.origin.cost.teacher
        key = home.space.slug, teacher
        if teacher and key not in teachers:
            teachers[key] = _load(student, guidances, home) if _exists(teacher, name, home, needed) else None
        beside[name] = _beside(student, teachers.get(key))
    return beside


def _exists(teacher: str, student: str, home: Home, needed: bool) -> bool:
    try:
        CheckpointKey.of(home.space, teacher).find(home.folder)
    except InputError as error:
        if needed:
            raise InputError(f"teacher_distance needs the teacher of {student}. {error}") from error
        return False
    return True


def _load(student: LoadedNetwork, guidances: Collection[Guidance], home: Home) -> LoadedNetwork:
    """The teacher of a student, in float32 or better, since its ODE is solved finely."""
    dtype = torch.promote_types(student.dtype, torch.float32)
    teacher = load_network(student.origin.cost.teacher, home.space, home.folder, student.device, dtype)
    guided = with_guides(teacher, guidances, home.space, home.folder)
    return replace(guided, decode=student.decode, encode=student.encode)


def _beside(student: LoadedNetwork, teacher: LoadedNetwork | None) -> LoadedNetwork:
    if teacher and teacher.classes != student.classes:
        raise CheckpointError(
            f"{student.name} was distilled from a network of {teacher.name} with other classes than those of "
            f"{teacher.origin.source}: restore or retrain one of them."
        )
    return replace(student, teacher=teacher)
