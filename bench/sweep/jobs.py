"""From a sweep to its cells: a pure function of the options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from samplerbench.errors import InputError
from samplerbench.methods import (
    DENOISER,
    FAULTS,
    METHODS,
    Guidance,
    Method,
    Parametrisation,
    Recipe,
    Sampler,
    SpecError,
    get_grid,
    get_guidance,
    get_recipe,
    unmet,
)
from samplerbench.sweep.normalise import DEFAULT_STEPS, is_exact
from samplerbench.sweep.options import CheckedSweep

DEFAULT_GRID = "default"  # in --grid: each method's own


@dataclass(frozen=True)
class Job:
    """One cell of a sweep: a sampler on the network of its recipe.

    skip: why it will not be measured, if so. fault: what the method raised when its cell was made, if it did.
    """

    sampler: Sampler
    skip: str = ""
    fault: BaseException | None = None

    @property
    def recipe(self) -> str:
        """The recipe whose network it runs on."""
        return str(self.sampler.recipe)

    @property
    def default_grid(self) -> str:
        """Whether the grid is the method's default, as a row says it: true, false, or empty without a grid."""
        grid, default = self.sampler.grid, self.sampler.method.grid
        return str(grid == str(get_grid(default))).lower() if grid and default else ""

    def __str__(self) -> str:
        sampler = self.sampler
        guided = f" {sampler.guidance}" if sampler.guidance else ""
        steps = f" {sampler.steps} step{'s' if sampler.steps > 1 else ''}" if sampler.steps else ""
        return f"{sampler.method}{guided}{steps}"


def expand(sweep: CheckedSweep, models: Mapping[str, Parametrisation] | None = None) -> list[Job]:
    """The cells of a normalised sweep, method by method. Raises SpecError or InputError if none of them can run.

    models: those of `sweep.model` that are not recipes, by spec.
    """
    methods = [METHODS.get(spec) for spec in sweep.methods]
    sound = list(filter(_describes_itself, methods))
    if sound and all(method.adaptive for method in sound) and (sweep.steps or sweep.nfe or sweep.grid):
        raise InputError("--steps, --nfe and --grid have no effect: every method here is adaptive and chooses its own.")
    if sound and sweep.grid and not any(method.takes_grid for method in sound):
        raise InputError("--grid has no effect: every method here brings its own times.")
    for name in set(sweep.grid or ()) - {DEFAULT_GRID}:
        get_grid(name)
    guidances: list[Guidance | None] = [None]
    if sweep.guidance:
        guidances = [get_guidance(spec) for spec in sweep.guidance]
    networks = _networks(sweep, models or {})
    jobs = [job for method in methods for on in networks for job in _all_jobs(method, on, guidances, sweep)]
    return _skip_missing_grids(jobs)


def _networks(sweep: CheckedSweep, models: Mapping[str, Parametrisation]) -> list[Parametrisation | None]:
    """The networks that every method runs on; None for each method's own."""
    if sweep.model:
        return [models.get(spec) or get_recipe(spec) for spec in sweep.model]
    return [get_recipe(sweep.recipe) if sweep.recipe else None]


def _describes_itself(method: Method) -> bool:
    """Whether the properties of a method can be read; if not, its cells fail."""
    try:
        _ = method.adaptive, method.takes_grid
    except FAULTS:
        return False
    return True


def _all_jobs(
    method: Method, on: Parametrisation | None, guidances: Sequence[Guidance | None], sweep: CheckedSweep
) -> list[Job]:
    """The cells of a method on a network. If it raises anything, each of them has that as its fault.

    Raises SpecError if it names a recipe or a grid that does not exist.
    """
    recipe = on or _recipe(method)
    try:
        return [
            job
            for grid in _grids(method, sweep.grid)
            for guidance in guidances
            for job in _jobs(method, recipe, grid, guidance, sweep)
        ]
    except SpecError as error:  # what the user named has been checked
        raise SpecError(f"The method {method.name} cannot run: {error}") from error
    except FAULTS as error:
        counts = sweep.steps or (() if sweep.nfe else DEFAULT_STEPS)
        return [Job(Sampler(method, steps, trained=recipe), fault=error) for steps in counts or (None,)]


def _recipe(method: Method) -> Recipe:
    """The recipe whose network it runs on by default. Raises SpecError, which names the method, if it is unknown."""
    try:
        return get_recipe(method.recipe)
    except SpecError as error:
        raise SpecError(f"The method {method.name} cannot run: {error}") from error


def _grids(method: Method, named: Sequence[str] | None) -> list[str | None]:
    """The grids to run a method on, each once; [None] for a method that takes none."""
    default = method.grid
    if default is None or not method.takes_grid:
        return [None]
    names = (default if name == DEFAULT_GRID else name for name in named or (DEFAULT_GRID,))
    return list(dict.fromkeys(str(get_grid(name)) for name in names))


def _jobs(
    method: Method, recipe: Parametrisation, grid: str | None, guidance: Guidance | None, sweep: CheckedSweep
) -> list[Job]:
    sampler = Sampler(method, None, grid, guidance, recipe)
    skip = _unfit(method, recipe, sweep)
    if skip:
        return [Job(sampler, skip)]
    if sweep.nfe:
        jobs = [_within(budget, sampler) for budget in sweep.nfe]
    else:
        counts: Sequence[int | None] = (None,) if method.adaptive else sweep.steps or DEFAULT_STEPS
        jobs = [Job(sampler.with_steps(steps), method.unsupported(steps)) for steps in counts]
    named = sweep.recipe or sweep.model
    return [job if named or job.skip else _on_own_checkpoint(job) for job in jobs]


def _unfit(method: Method, recipe: Parametrisation, sweep: CheckedSweep) -> str:
    """Why the method cannot run on the recipe's network; empty if it can."""
    if not is_exact(sweep):
        return unmet(method.requires, recipe.provides, recipe)
    if recipe.distilled:
        return f"{recipe} is a distilled model; data sets with a closed form have no counterpart for it"
    return unmet(method.requires, DENOISER, f"the closed form of {sweep.dataset}")


def _on_own_checkpoint(job: Job) -> Job:
    """The job on the checkpoint that serves its number of steps."""
    sampler = job.sampler
    return replace(job, sampler=replace(sampler, trained=get_recipe(sampler.method.checkpoint(sampler.steps))))


def _within(budget: int, sampler: Sampler) -> Job:
    """The job with the most steps that spend at most `budget` evaluations."""
    if sampler.method.adaptive:
        return Job(sampler, "an adaptive method keeps to no budget of evaluations")
    found = sampler.within(budget)
    return Job(found) if found else Job(sampler, f"one step takes more than {budget} evaluations")


def _skip_missing_grids(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, skipped if their grid does not exist: found now, not in the middle of the sweep.

    Raises SpecError if the sweep has one grid only, or if none of its methods can run on a grid.
    """
    checked: list[Job] = []
    problems: dict[str | None, list[SpecError | None]] = {}
    for job in jobs:
        problem = None if job.skip or job.fault else _grid_problem(job.sampler)
        problems.setdefault(job.sampler.grid, []).append(problem)
        checked.append(replace(job, skip=str(problem)) if problem else job)
    for found in problems.values():
        if any(found) and (all(found) or len(problems) == 1):
            raise next(filter(None, found))
    return checked


def _grid_problem(sampler: Sampler) -> SpecError | None:
    """Why the sampler's grid does not exist; None if it does."""
    try:
        _ = sampler.times  # kept, so that it is computed once
    except SpecError as error:
        return error
    return None
