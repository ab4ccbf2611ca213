"""Which time grids a sweep runs its methods on, and where there are none such."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from samplerbench.methods import Method, SpecError, get_grid, get_recipe

if TYPE_CHECKING:
    from samplerbench.sweep.plan import Job

OWN = "default"  # in --grid: each method's own


def grids(method: Method, named: Sequence[str] | None) -> list[str | None]:
    """The grids of a method, each once, where `named` are asked for; [None] for one that has none."""
    if method.adaptive or method.own_times:
        return [None]
    return list(dict.fromkeys(str(get_grid(method.grid if name == OWN else name)) for name in named or (OWN,)))


def own_grid(job: "Job") -> str:
    """Whether the job's grid is the one that its method takes by itself: true or false, and empty without a grid."""
    return str(job.grid == str(get_grid(job.method.grid))).lower() if job.grid else ""


def without_missing(jobs: Sequence["Job"]) -> list["Job"]:
    """The jobs, with a reason to skip those whose grid does not exist: now, not in the middle of the sweep.

    Raises SpecError where the sweep has one grid only, or where none of its methods can run on a grid.
    """
    checked, problems = [], {}
    for job in jobs:
        problem = None if job.skip else _problem(job)
        problems.setdefault(job.grid, []).append(problem)
        checked.append(replace(job, skip=str(problem)) if problem else job)
    for found in problems.values():
        if any(found) and (all(found) or len(problems) == 1):
            raise next(filter(None, found))
    return checked


def _problem(job: "Job") -> SpecError | None:
    """Why there is no such grid with that many steps on the job's path."""
    try:
        if job.grid and job.steps:
            get_grid(job.grid)(job.steps, get_recipe(job.recipe).path)
    except SpecError as error:
        return error
    return None
