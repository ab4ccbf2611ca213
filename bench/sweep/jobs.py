"""What is asked for, and the cells it expands to: pure functions of the options."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from samplerbench.data.datasets import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import (
    METHODS,
    Aides,
    Field,
    Guidance,
    Method,
    Recipe,
    get_guidance,
    get_recipe,
    is_grid_file,
    nearest,
    sample,
    split_specs,
)
from samplerbench.models import PRESETS
from samplerbench.sampling.noise import BLOCKS, IMAGES_PER_BLOCK
from samplerbench.sweep.grids import grids, without_missing

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
DEFAULT_STEPS = (10, 50)
DEFAULT_SAMPLES = 1000
ALL = "all"  # every method, where methods are named


@dataclass(frozen=True)
class Sweep:
    """The options of `bench run`. Giving one where it has no effect is an error; None stands for not given.

    Lists may be given as sequences or as on the command line: methods="ddim[eta=0.5],flow", steps="10,50", seeds="0-4",
    grid="default,karras[rho=5],grids/mine.json".
    methods="all" is every method.
    """

    methods: Sequence[str] | str = ("ddpm", "ddim", "pf_ode", "flow")
    steps: Sequence[int] | str | None = None
    nfe: Sequence[int] | str | None = None
    dataset: str | None = None
    recipe: str | None = None
    grid: Sequence[str] | str | None = None
    guidance: Sequence[str] | str | None = None
    samples: int | None = None
    seeds: Sequence[int] | str | None = None
    batch_size: int = 256
    metrics: Sequence[str] | str | None = None
    device: str = "auto"
    dtype: str = "float32"
    compile: bool = False
    output: str | None = None
    timing: bool = True
    quality: bool = True
    preset: str | None = None
    weights: str | None = None
    data_root: str | None = None
    download: bool = False
    save_images: bool = False


@dataclass(frozen=True)
class Job:
    """One cell of a sweep. `skip` says why it will not be measured; `steps` is None for adaptive methods."""

    method: Method
    recipe: str
    grid: str | None
    steps: int | None
    skip: str = ""
    guidance: Guidance | None = None

    def __str__(self) -> str:
        guided = f" {self.guidance}" if self.guidance else ""
        return f"{self.method}{guided}" + (f" {self.steps} steps" if self.steps else "")


def normalise(sweep: Sweep) -> Sweep:
    """The same sweep with lists parsed and defaults filled in. Raises InputError or SpecError."""
    _reject_idle_options(sweep)
    sweep = replace(
        sweep,
        methods=_unique(_every(_items(sweep.methods, split_specs)), "--methods"),
        steps=_counts(sweep.steps, "--steps"),
        nfe=_counts(sweep.nfe, "--nfe"),
        grid=None if sweep.grid is None else _unique(map(str, _items(sweep.grid, split_specs)), "--grid"),
        seeds=_seeds("0" if sweep.seeds is None else sweep.seeds),
        samples=DEFAULT_SAMPLES if sweep.samples is None else sweep.samples,
        dataset=None if sweep.preset else sweep.dataset or "digits",
        metrics=None if sweep.metrics is None else _unique(_items(sweep.metrics, split_specs), "--metrics"),
        guidance=None if sweep.guidance is None else _guidances(sweep.guidance),
    )
    _check_values(sweep)
    return _for_exact_data(sweep) if _is_exact(sweep) else sweep


def _is_exact(sweep: Sweep) -> bool:
    return bool(sweep.dataset and DATASETS.get(sweep.dataset).distribution)


def _for_exact_data(sweep: Sweep) -> Sweep:
    """There is no network to load, to time or to run at low precision. Raises InputError for options about one."""
    idle = {
        "--weights": sweep.weights,
        "--compile": sweep.compile,
        "--no-quality": not sweep.quality,
        "--guidance": sweep.guidance,
    }
    given = [option for option, value in idle.items() if value]
    if sweep.dtype not in ("float32", "float64"):
        given.append("--dtype")
    if given:
        raise InputError(f"{sweep.dataset} has a closed form in float64 and no network: leave out {given[0]}.")
    device = "cpu" if sweep.device == "auto" else sweep.device  # small float64 operations: no work for a GPU
    return replace(sweep, timing=False, dtype="float64", device=device)


def expand(sweep: Sweep) -> list[Job]:
    """The cells of a normalised sweep, method by method. Raises SpecError or InputError for what cannot be run."""
    methods = [METHODS.get(spec) for spec in sweep.methods]
    if all(method.adaptive for method in methods) and (sweep.steps or sweep.nfe or sweep.grid):
        raise InputError("--steps, --nfe and --grid have no effect: every method here is adaptive and chooses its own.")
    if sweep.grid and all(method.adaptive or method.own_times for method in methods):
        raise InputError("--grid has no effect: every method here brings its own times.")
    guidances = [get_guidance(spec) for spec in sweep.guidance or ()] or [None]
    jobs = [
        job
        for method in methods
        for grid in grids(method, sweep.grid)
        for guidance in guidances
        for job in _jobs(method, grid, guidance, sweep)
    ]
    return without_missing(jobs)


def _jobs(method: Method, grid: str | None, guidance: Guidance | None, sweep: Sweep) -> list[Job]:
    recipe = get_recipe(sweep.recipe or method.recipe)
    skip = _unfit(method, recipe, _is_exact(sweep))
    if skip:
        return [Job(method, str(recipe), grid, None, skip, guidance)]
    if sweep.nfe:
        found = [_job_within(budget, method, recipe, grid, guidance) for budget in sweep.nfe]
    else:
        counts = (None,) if method.adaptive else sweep.steps or DEFAULT_STEPS
        found = [Job(method, str(recipe), grid, steps, method.refusal(steps), guidance) for steps in counts]
    return [job if sweep.recipe or job.skip else _on_own_checkpoint(job) for job in found]


def _unfit(method: Method, recipe: Recipe, exact: bool) -> str:
    """Why the method cannot run on the recipe's network; empty if it can."""
    if exact and recipe.student:
        return f"{recipe} has learnt to jump, and no closed form of a noise level stands for that"
    if method.outputs > recipe.outputs or (method.outputs > 1 and exact):
        return f"it takes its variance from the network, and {'a closed form' if exact else recipe} has none"
    if method.own_times and not recipe.solver:
        return f"its times were learnt for one network, and {recipe} has none of them"
    if method.interval and not recipe.network.get("interval"):
        return f"it asks the network for its mean over an interval, and {recipe} knows moments only"
    return ""


def _on_own_checkpoint(job: Job) -> Job:
    """The job on the checkpoint that serves for its number of steps."""
    return replace(job, recipe=str(get_recipe(job.method.checkpoint(job.steps))))


def _job_within(budget: int, method: Method, recipe: Recipe, grid: str | None, guidance: Guidance | None) -> Job:
    """The job with the most steps that spend at most `budget` evaluations, found by counting them."""
    if method.adaptive:
        skip = "an adaptive method keeps to no budget of evaluations"
        return Job(method, str(recipe), grid, None, skip, guidance)
    if method.step_counts:
        fitting = [n for n in method.step_counts if evaluations(method, recipe, n, grid, guidance) <= budget]
        skip = "" if fitting else f"one step takes more than {budget} evaluations"
        return Job(method, str(recipe), grid, max(fitting, default=None), skip, guidance)
    low, high = 0, budget
    # The times do not change how often the network is called, and a file has those of few step counts.
    counted = "uniform" if is_grid_file(grid) else grid
    while low < high:
        middle = (low + high + 1) // 2
        fits = evaluations(method, recipe, middle, counted, guidance) <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    if low == 0:
        skip = f"one step takes more than {budget} evaluations"
        return Job(method, str(recipe), grid, None, skip, guidance)
    return Job(method, str(recipe), grid, low, guidance=guidance)


def evaluations(
    method: Method, recipe: Recipe, steps: int, grid: str | None = None, guidance: Guidance | None = None
) -> int:
    """How often a sampling run calls its network, or the weaker one that guides it, counted on one pixel."""
    calls = 0

    def net(x, *_):
        nonlocal calls
        calls += 1
        return x.repeat(1, recipe.outputs, 1, 1)

    interval = bool(recipe.network.get("interval"))
    field = Field(net, recipe.path, recipe.target, torch.zeros(1, dtype=torch.int64), interval, recipe.solver)
    if guidance:
        field = guidance.guide(field, Aides(lambda x, _: x.flatten(1), weak=field))
    sample(method, field, torch.zeros(1, 1, 1, 1, dtype=torch.float64), steps, torch.zeros_like, grid)
    return calls


def _reject_idle_options(sweep: Sweep) -> None:
    given = {field.name for field in fields(sweep) if getattr(sweep, field.name) not in (None, False)}
    conflicts = [
        ("steps", "nfe", "--steps and --nfe are two ways to say the same: give one of them."),
        ("dataset", "preset", "--preset times a random network, without data: leave out --dataset."),
        ("weights", "preset", "--preset times a random network, without weights: leave out --weights."),
        ("guidance", "preset", "--preset times a random network, without anything to guide: leave out --guidance."),
    ]
    for one, other, message in conflicts:
        if {one, other} <= given:
            raise InputError(message)
    if sweep.preset and sweep.quality:
        raise InputError("--preset times a random network, whose images mean nothing: add --no-quality.")
    if not sweep.quality and not sweep.timing:
        raise InputError("--no-quality and --no-timing together leave nothing to measure: drop one of them.")
    for name in ("samples", "metrics", "seeds", "data_root", "download", "save_images"):
        if not sweep.quality and name in given:
            raise InputError(f"--{name.replace('_', '-')} has no effect with --no-quality: leave it out.")


def _check_values(sweep: Sweep) -> None:
    if not 2 <= sweep.samples <= IMAGES_PER_BLOCK:
        raise InputError(f"--samples must lie between 2 and {IMAGES_PER_BLOCK}, not {sweep.samples}.")
    if sweep.batch_size < 1:
        raise InputError(f"--batch-size must be at least 1, not {sweep.batch_size}.")
    if sweep.dtype not in DTYPES:
        raise InputError(f"No dtype is named {sweep.dtype!r}. {nearest(sweep.dtype, DTYPES)}")
    if sweep.preset and sweep.preset not in PRESETS:
        raise InputError(f"No preset is named {sweep.preset!r}. {nearest(sweep.preset, PRESETS)}")
    if sweep.dataset:
        DATASETS.lookup(sweep.dataset)


def _guidances(value: Sequence[str] | str) -> tuple[str, ...]:
    """As they print: 2 and cfg[weight=2] are the same."""
    return _unique((str(get_guidance(str(spec))) for spec in _items(value, split_specs)), "--guidance")


def _items(value: Sequence[str] | str, split: Callable[[str], list[str]]) -> list[str]:
    return split(value) if isinstance(value, str) else list(value)


def _every(specs: Iterable[str]) -> list[str]:
    """The specs, with `all` replaced by every method there is."""
    return [name for spec in specs for name in (METHODS.names() if spec.strip() == ALL else [spec])]


def _unique(items: Iterable[Any], option: str) -> tuple:
    unique = tuple(dict.fromkeys(items))
    if not unique:
        raise InputError(f"{option} is empty: name at least one.")
    return unique


def _counts(value: Sequence[int] | str | None, option: str) -> tuple[int, ...] | None:
    if value is None:
        return None
    counts = [_whole(item, option) for item in (value.split(",") if isinstance(value, str) else value)]
    if any(count < 1 for count in counts):
        raise InputError(f"{option} must be 1 or more, not {min(counts)}.")
    return _unique(counts, option)


def _seeds(value: Sequence[int] | str) -> tuple[int, ...]:
    """`0-4,7` -> (0, 1, 2, 3, 4, 7)."""
    seeds: list[int] = []
    for item in value.split(",") if isinstance(value, str) else [str(seed) for seed in value]:
        first, _, last = item.partition("-")
        start = _whole(first, "--seeds")
        seeds += range(start, _whole(last or first, "--seeds") + 1)
    if any(seed >= BLOCKS for seed in seeds):
        raise InputError(f"--seeds must be below {BLOCKS}, not {max(seeds)}.")
    return _unique(seeds, "--seeds")


def _whole(text: str | int, option: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{option} takes whole numbers separated by commas, not {text!r}.") from None
