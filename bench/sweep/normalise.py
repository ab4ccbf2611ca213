"""From options as they are given to a complete, checked sweep: a pure function."""

import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields, replace
from math import inf
from pathlib import Path
from typing import Any

from samplerbench.data.dataset import DATASETS
from samplerbench.data.reference import PREFIX
from samplerbench.errors import InputError
from samplerbench.methods import FAULTS, METHODS, SpecError, get_grid, get_guidance, get_recipe, nearest, split_specs
from samplerbench.models import PRESETS
from samplerbench.networks.devices import DTYPES
from samplerbench.networks.model import get_model
from samplerbench.sampling.noise import BLOCKS, IMAGES_PER_BLOCK
from samplerbench.store.provenance import fingerprint
from samplerbench.sweep.engine.base import ENGINES, Engine
from samplerbench.sweep.options import AUTO, HOW, CheckedSweep, Counts, Sweep
from samplerbench.sweep.shard import Shard

DEFAULT_STEPS = (10, 50)
DEFAULT_SAMPLES = 1000
LABELS = ("independent", "balanced")
ALL = "all"  # every method, where methods are named

# Pairs of options that exclude each other.
CONFLICTS = [
    ("data", "dataset", "--data and --dataset are two names of one option: give one of them."),
    ("data", "preset", "--preset times a random network, without data: leave out --data."),
    ("steps", "nfe", "--steps and --nfe are two ways to say the same: give one of them."),
    ("dataset", "preset", "--preset times a random network, without data: leave out --dataset."),
    ("model", "recipe", "--model names recipes too: leave out --recipe."),
    ("model", "preset", "--preset times a random network: leave out --model."),
    ("shard", "join", "--shard and --join are two ways to split a sweep: give one of them."),
    ("weights", "preset", "--preset times a random network, without weights: leave out --weights."),
    ("guidance", "preset", "--preset times a random network, without anything to guide: leave out --guidance."),
]
OF_QUALITY = ("samples", "reference", "metrics", "seeds", "data_root", "download", "save_images")


def normalise(sweep: Sweep) -> CheckedSweep:
    """The same sweep with lists parsed and defaults filled in. Raises InputError or SpecError."""
    sweep = _as_text(sweep)
    _reject_idle_options(sweep)
    given: dict[str, Any] = {field.name: getattr(sweep, field.name) for field in fields(Sweep)}
    parsed = {
        "methods": _unique(_every(_items(sweep.methods)), "--methods"),
        "named": tuple(str(METHODS.get(spec)) for spec in map(str, _items(sweep.methods)) if spec.strip() != ALL),
        "steps": counts_of(sweep.steps, "--steps"),
        "nfe": counts_of(sweep.nfe, "--nfe"),
        "grid": None if sweep.grid is None else _unique(map(str, _items(sweep.grid)), "--grid"),
        "seeds": _seeds("0" if sweep.seeds is None else sweep.seeds),
        "samples": DEFAULT_SAMPLES if sweep.samples is None else _whole(sweep.samples, "--samples"),
        "batch_size": _batch_size(sweep.batch_size),
        "dataset": None if sweep.preset else dataset_of(sweep.data, sweep.dataset, sweep.reference),
        "data": None,
        "metrics": parsed_metrics(sweep.metrics),
        "model": None if sweep.model is None else _models(sweep.model),
        "guidance": None if sweep.guidance is None else _guidances(sweep.guidance),
        "shard": None if sweep.shard is None else str(Shard.parse(sweep.shard)),
        "workers": _workers(sweep.workers),
    }
    paths = {name: given[name] and str(given[name]) for name in ("output", "weights", "data_root")}
    checked = CheckedSweep(**given | parsed | paths)
    if not (sweep.data or sweep.dataset or sweep.reference) and _needs_no_data(checked):
        checked = replace(checked, dataset=None)
    _check_values(checked)
    engine_of(checked)
    return _for_exact_data(checked) if is_exact(checked) else checked


def with_text(sweep: Sweep) -> Sweep:
    """The sweep with methods as text, which any process can read."""
    return replace(sweep, methods=[str(method) for method in _items(sweep.methods)])


def _as_text(sweep: Sweep) -> Sweep:
    """The sweep with names as text, so that Python may give a torch.device or a torch.dtype. Raises InputError."""
    for name in ("data", "dataset", "recipe", "preset", "reference", "labels", "engine", "address"):
        if not isinstance(value := getattr(sweep, name), str | None):
            raise InputError(f"--{name} takes a name, not {value!r}.")
    for name in ("timing", "quality", "compile", "cuda_graph", "cudnn_benchmark", "download", "save_images", "join"):
        if not isinstance(value := getattr(sweep, name), bool):
            raise InputError(f"{name} is True or False, not {value!r}.")
    if sweep.labels not in LABELS:
        raise InputError(f"--labels is {' or '.join(LABELS)}, not {sweep.labels!r}.")
    return replace(sweep, device=str(sweep.device), dtype=str(sweep.dtype).removeprefix("torch."))


def is_exact(sweep: CheckedSweep) -> bool:
    """Whether the data set has a closed form."""
    return bool(sweep.dataset and DATASETS.get(sweep.dataset).distribution)


def _for_exact_data(sweep: CheckedSweep) -> CheckedSweep:
    """There is no network to load, to time or to run at low precision. Raises InputError for options about one."""
    idle = {
        "--weights": sweep.weights,
        "--reference": sweep.reference,
        "--compile": sweep.compile,
        "--cuda-graph": sweep.cuda_graph,
        "--cudnn-benchmark": sweep.cudnn_benchmark,
        "--batch-size auto": sweep.batch_size == AUTO,
        "--no-quality": not sweep.quality,
        "--guidance": sweep.guidance,
        "--model": any(map(get_model, sweep.model or ())),
    }
    given = [option for option, value in idle.items() if value]
    if sweep.dtype not in ("float32", "float64"):
        given.append("--dtype")
    if given:
        raise InputError(f"{sweep.dataset} has a closed form in float64 and no network: leave out {given[0]}.")
    device = "cpu" if sweep.device == "auto" else sweep.device  # small float64 operations: no work for a GPU
    return replace(sweep, timing=False, dtype="float64", device=device)


def _reject_idle_options(sweep: Sweep) -> None:
    given = {field.name for field in fields(sweep) if getattr(sweep, field.name) not in (None, False)}
    for one, other, message in CONFLICTS:
        if {one, other} <= given:
            raise InputError(message)
    if sweep.preset and sweep.quality:
        raise InputError("--preset times a random network, whose images mean nothing: add --no-quality.")
    if not sweep.quality and not sweep.timing:
        raise InputError("--no-quality and --no-timing together leave nothing to measure: drop one of them.")
    for name in OF_QUALITY:
        if not sweep.quality and name in given:
            raise InputError(f"--{name.replace('_', '-')} has no effect with --no-quality: leave it out.")


def _check_values(sweep: CheckedSweep) -> None:
    if not 2 <= sweep.samples <= IMAGES_PER_BLOCK:
        raise InputError(f"--samples must lie between 2 and {IMAGES_PER_BLOCK}, not {sweep.samples}.")
    if sweep.batch_size != AUTO and int(sweep.batch_size) < 1:
        raise InputError(f"--batch-size must be at least 1, not {sweep.batch_size}.")
    if sweep.join and sweep.batch_size == AUTO:
        raise InputError("--join needs the same --batch-size on every machine, as in 256: auto finds each its own.")
    limit = sweep.cell_timeout
    if limit is not None and not (isinstance(limit, int | float) and 0 < limit < inf):
        raise InputError(f"--cell-timeout takes seconds above 0, not {limit!r}.")
    if sweep.dtype not in DTYPES:
        raise InputError(f"No dtype is named {sweep.dtype!r}. {nearest(sweep.dtype, DTYPES)}")
    if sweep.preset and sweep.preset not in PRESETS:
        raise InputError(f"No preset is named {sweep.preset!r}. {nearest(sweep.preset, PRESETS)}")
    if sweep.dataset:
        DATASETS.get(sweep.dataset)


def engine_of(sweep: CheckedSweep) -> Engine:
    """The engine of a sweep. Raises SpecError for an unknown one, InputError for an address that it does not take."""
    engine = ENGINES.lookup(sweep.engine)
    takes_address = any(field.name == "address" for field in fields(engine))
    if sweep.address is not None and not takes_address:
        raise InputError(f"--address names a cluster, which --engine {sweep.engine} does not use: add --engine ray.")
    workers = None if sweep.workers == AUTO else int(sweep.workers)
    return engine(workers=workers, **({"address": sweep.address} if takes_address else {}))


def _workers(value: str | int) -> str | int:
    if value == AUTO:
        return AUTO
    count = _number(value)
    if count is None or count < 1:
        raise InputError(f"--workers takes a number from 1 on, or auto, not {value!r}.")
    return count


def _guidances(value: Sequence[str | float] | str | float) -> tuple[str, ...]:
    """As they print: 2 and cfg[weight=2] are the same."""
    return _unique((str(get_guidance(str(spec))) for spec in _items(value)), "--guidance")


def _models(value: Sequence[str] | str) -> tuple[str, ...]:
    """As they print. Raises SpecError for a text that names no model."""
    texts = [str(spec) for spec in _items(value)]
    return _unique((str(get_model(text) or get_recipe(text)) for text in texts), "--model")


def dataset_of(data: str | None, dataset: str | None, reference: str | None) -> str:
    """The spec of the real images: --data, or --reference alone. Raises InputError for statistics as the data."""
    if (data or dataset or "").startswith(PREFIX) and reference != (data or dataset):
        raise InputError(f"{data or dataset} has no images: name it with --reference.")
    found = data or dataset or reference or "digits"
    if os.path.isdir(found) and found not in DATASETS.names():
        raise InputError(f"{found!r} is a folder: write folder:{found} if it holds images.")
    return found


def parsed_metrics(metrics: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """The metrics of --metrics, each once; None for the data's own."""
    return None if metrics is None else _unique(_items(metrics), "--metrics")


def _needs_no_data(sweep: CheckedSweep) -> bool:
    """Whether models that bring all they need are timed only."""
    return bool(sweep.model) and not sweep.quality and all(map(get_model, sweep.model or ()))


def _items(value: Any, split: Callable[[str], list[str]] = split_specs) -> list:
    """A list from text, from a sequence, or from a single value."""
    if isinstance(value, str):
        return split(value)
    return list(value) if isinstance(value, Iterable) else [value]


def _every(specs: Iterable[str]) -> list[str]:
    """The specs, with `all` replaced by every method there is."""
    return [name for spec in specs for name in (_usable() if str(spec).strip() == ALL else [str(spec)])]


def _usable() -> list[str]:
    """All methods but those that name an unknown recipe or grid, for which there is a warning."""
    found = []
    for name in METHODS.names():
        try:
            method = METHODS.get(name)
            get_grid(method.grid or "uniform")
            get_recipe(method.recipe)
            get_recipe(method.checkpoint(method.nearest_steps(DEFAULT_STEPS[0])))
        except SpecError as error:
            warnings.warn(f"The method {name} was left out: {error}", stacklevel=2)
            continue
        except FAULTS:  # its cells fail with the reason
            pass
        found.append(name)
    return found


def _unique(items: Iterable[Any], option: str) -> tuple:
    unique = tuple(dict.fromkeys(items))
    if not unique:
        raise InputError(f"{option} is empty: name at least one.")
    return unique


def counts_of(value: Counts | None, option: str) -> tuple[int, ...] | None:
    """`5,10` as (5, 10). Raises InputError, which names the option, for anything but whole numbers from 1 on."""
    if value is None:
        return None
    counts = [_whole(item, option) for item in _items(value, lambda text: text.split(","))]
    if any(count < 1 for count in counts):
        raise InputError(f"{option} must be 1 or more, not {min(counts)}.")
    return _unique(counts, option)


def _seeds(value: Counts) -> tuple[int, ...]:
    """`0-4,7` -> (0, 1, 2, 3, 4, 7)."""
    seeds: list[int] = []
    for item in map(str, _items(value, lambda text: text.split(","))):
        first, _, last = item.partition("-")
        start, end = _whole(first, "--seeds"), _whole(last or first, "--seeds")
        if max(start, end) >= BLOCKS:
            raise InputError(f"--seeds must be below {BLOCKS}, not {max(start, end)}.")
        seeds += range(start, end + 1)
    return _unique(seeds, "--seeds")


def _batch_size(value: int | str) -> int | str:
    if isinstance(value, str) and value.strip() == AUTO:
        return AUTO
    try:
        return _whole(value, "--batch-size")
    except InputError as error:
        raise InputError(f"--batch-size takes a whole number or {AUTO}, not {value!r}.") from error


def _whole(text: str | int, option: str) -> int:
    number = _number(text)
    if number is None:
        raise InputError(f"{option} takes whole numbers separated by commas, not {text!r}.")
    return number


def _number(text: str | int) -> int | None:
    """A whole number, also as text; None for anything else."""
    try:
        number = int(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isinstance(text, str) or number == text else None


def default_output(sweep: CheckedSweep) -> Path:
    """The same directory for the same command, so that repeating it resumes."""
    return runs_folder(str(sweep.dataset or sweep.preset or "model"), fingerprint(hashed(sweep)))


def hashed(sweep: CheckedSweep) -> dict[str, Any]:
    """The options as the hash in the name of a folder has them: all shards of a sweep are below one folder."""
    return {name: value for name, value in asdict(sweep).items() if name not in (*HOW, "named")}


def runs_folder(name: str, key: str) -> Path:
    """The default directory of what has this name, such as the spec of a data set, and hash."""
    plain = re.sub(r"[^\w.]+", "-", name.rstrip("/").rpartition("/")[2]).strip("-")
    return Path("results", "runs", f"{plain}-{key[:8]}")
