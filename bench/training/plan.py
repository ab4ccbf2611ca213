"""What `bench train` does: networks and classifiers, students after their teachers, each resumed where it stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from samplerbench.data.datasets import DATASETS, Dataset
from samplerbench.errors import InputError
from samplerbench.methods import get_recipe
from samplerbench.models.checkpoint import Storage
from samplerbench.networks.backbone import checkpoint_path, find_checkpoint, pick_device, weak_name
from samplerbench.training.loop import Settings
from samplerbench.training.run import Progress, fit
from samplerbench.training.tasks import CLASSIFIER, CLASSIFIERS, prepare, recipe_trainer, solver_trainer

PAIRS = 50_000  # of noise and image, unless told otherwise


@dataclass(frozen=True)
class Training:
    """A training made ready. `run` writes the checkpoint `output`; beside it lie the state and the loss curve.

    It first makes the pairs that the recipe lacks, of `pairs` that it needs; for these the loss is NaN.
    """

    name: str
    settings: Settings
    output: Path
    run: Callable[[], Progress]
    pairs: int = 0


def plan_chain(recipe: str, **options: object) -> list[Training]:
    """What the teachers of a recipe still lack, and its own training, in turn; the options are `plan_training`'s.

    A teacher that is a student itself is trained with the same settings, an ordinary network with the default ones.
    """
    training, stages = plan_training(recipe, **options), {}
    for before in filter(None, () if recipe in CLASSIFIERS else (get_recipe(recipe).teacher, get_recipe(recipe).start)):
        if not _exists(before, options["dataset"], options["output"]):
            given = options if get_recipe(before).student else {name: options[name] for name in COMMON}
            stages |= {stage.name: stage for stage in plan_chain(before, **given)}
    return [*stages.values(), training]


COMMON = ("dataset", "output", "half", "quarter", "device", "data_root", "download", "seed")


def _exists(recipe: str, dataset: str, output: str | None) -> bool:
    try:
        return find_checkpoint(output, dataset, recipe).exists()
    except InputError:
        return False


def plan_training(
    recipe: str,
    dataset: str,
    output: str | None,
    half: bool,
    device: str,
    data_root: str | None,
    download: bool,
    weak: bool = False,
    quarter: bool = False,
    pairs: int | None = None,
    **settings: object,
) -> Training:
    """What `bench train` is about to do, with the data loaded.

    weak: a recipe's network for autoguidance, smaller than the data set's own.
    half, quarter: store float16, or 8-bit integers.
    pairs: of noise and the teacher's image, for a recipe that is trained on them.
    Raises InputError or SpecError for a name that does not exist, data that is not there or needs no network, a
    classifier that is asked of other data than the digits, or an option that has no effect.
    """
    source, where = DATASETS.get(dataset), pick_device(device)
    recipe = recipe if recipe in CLASSIFIERS else str(get_recipe(recipe))
    stored = "quarter" if quarter else "half" * half
    _check(recipe, source, weak, half and quarter, stored, pairs)
    images, chosen = source.load(data_root, download), Settings(**settings)
    path = checkpoint_path(output, dataset, weak_name(recipe) if weak else recipe)
    storage: Storage = "int8" if quarter else "float16" if half else "float32"

    def run() -> Progress:
        if recipe in CLASSIFIERS:
            torch.manual_seed(chosen.seed)
            trainer, facts = CLASSIFIERS[recipe](recipe, source, images, chosen, where)
        else:
            lesson = prepare(get_recipe(recipe), source, output, where, pairs or PAIRS)
            if lesson and lesson.pairs:
                yield from lesson.pairs.make()
            torch.manual_seed(chosen.seed)
            if get_recipe(recipe).solver:
                trainer, facts = solver_trainer(recipe, source, chosen, lesson)
            else:
                trainer, facts = recipe_trainer(recipe, source, images, chosen, where, weak, lesson)
        yield from fit(trainer, facts | {"dataset": dataset, "data": images.digest}, path, storage)

    paired = recipe not in CLASSIFIERS and get_recipe(recipe).pairs
    return Training(recipe, chosen, path, run, (pairs or PAIRS) if paired else 0)


def _check(recipe: str, dataset: Dataset, weak: bool, twice: bool, stored: str, pairs: int | None) -> None:
    if recipe == CLASSIFIER and dataset.name != "digits":
        raise InputError(f"{CLASSIFIER} is a classifier of the digits: leave out --dataset.")
    if dataset.distribution:
        raise InputError(
            f"{dataset.name} is known in closed form: there is nothing to train, `bench run` needs no weights."
        )
    if recipe in CLASSIFIERS and weak:
        raise InputError(f"--weak is for the network of a recipe, and {recipe} is a classifier: leave it out.")
    if twice:
        raise InputError("--half and --quarter are two ways to store the same weights: give one of them.")
    taught = None if recipe in CLASSIFIERS else get_recipe(recipe)
    if stored and taught and taught.solver:
        raise InputError(f"{recipe} is a handful of numbers, which are kept in full: leave out --{stored}.")
    if weak and taught.teacher:
        raise InputError(f"--weak is for a network that guides, and {recipe} is a student: leave it out.")
    if pairs and not (taught and taught.pairs):
        raise InputError(f"--pairs has no effect on {recipe}, which is not trained on pairs: leave it out.")
