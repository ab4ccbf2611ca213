"""What `bench train` does: the missing teachers of a recipe, then the recipe, each resumed where it stopped."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from samplerbench.data.dataset import DATASETS, Dataset
from samplerbench.errors import InputError, nearest
from samplerbench.methods import Recipe, get_recipe
from samplerbench.models.checkpoint import Storage
from samplerbench.networks.checkpoints import CheckpointKey
from samplerbench.networks.conditions.base import CONDITIONS
from samplerbench.networks.devices import pick_device
from samplerbench.networks.latent import latent_space
from samplerbench.training.auxiliary import AUXILIARIES, Auxiliary, is_auxiliary
from samplerbench.training.loop import Settings, iteration_seed
from samplerbench.training.options import PAIRS, TrainOptions
from samplerbench.training.progress import TrainingProgress
from samplerbench.training.run import run_training
from samplerbench.training.share import WHOLE, Share
from samplerbench.training.tasks import Inputs, auxiliary_task, prepare, recipe_task

TRAINABLE = ("float32", "bfloat16")  # arithmetic that needs no scaling of the loss


@dataclass(frozen=True)
class Training:
    """A training that is ready to run. name: the spec of a recipe or of an auxiliary network."""

    name: str
    options: TrainOptions
    inputs: Inputs

    @property
    def settings(self) -> Settings:
        """The settings of the training loop."""
        given = {field.name for field in fields(Settings)} & {field.name for field in fields(TrainOptions)}
        return Settings(**{name: getattr(self.options, name) for name in given})

    @property
    def output(self) -> Path:
        """The checkpoint that it writes; the state and the loss curve are written beside it."""
        return CheckpointKey.of(self.inputs.dataset, self.name, self.options.weak).path(self.options.output)

    @property
    def pairs(self) -> int:
        """The number of pairs of noise and image that it is trained on; 0 for a training on images."""
        recipe = _recipe(self.name)
        return self.options.pairs or PAIRS if recipe and recipe.pairs else 0

    def run(self) -> Iterator[TrainingProgress]:
        """Generate the pairs that are missing, train, and write the checkpoint.

        Raises InputError or CheckpointError if a teacher is missing, something that is to be resumed does not fit, or
        the output cannot be written.
        """
        settings, recipe = self.settings, _recipe(self.name)
        lesson = prepare(recipe, self.inputs, self.pairs) if recipe else None
        with self.inputs.share.in_turn():  # the first writes the pairs, and features that conditions are made from
            if lesson and lesson.pairs:
                yield from lesson.pairs.make()
            torch.manual_seed(iteration_seed(settings.seed, 0))
            if recipe and lesson:
                task = recipe_task(recipe, self.inputs, lesson, settings.label_drop, self.options.weak)
            else:
                task = auxiliary_task(AUXILIARIES.get(self.name), self.inputs)
        yield from run_training(task, settings, self.output, self._storage, self.options.save_every)

    @property
    def _storage(self) -> Storage:
        return "int8" if self.options.quarter else "float16" if self.options.half else "float32"


def plan_chain(recipe: str, options: TrainOptions, share: Share = WHOLE) -> list[Training]:
    """The trainings that a recipe, or an auxiliary network, needs: its missing teachers, then its own.

    A teacher that is distilled itself is trained with the same settings, others with the default ones.
    share: of this process.
    Raises InputError or SpecError for an unknown name, data that is missing or needs no network, an auxiliary network
    that does not fit the data, an option that has no effect, or a training that several processes cannot share.
    """
    dataset, device = DATASETS.get(options.dataset), pick_device(options.device)
    if options.latent:
        dataset = latent_space(dataset, options.latent, options.output, device)
    spec = str(AUXILIARIES.get(recipe) if is_auxiliary(recipe) else get_recipe(recipe))
    stages = _stages(spec, dataset, options)
    for name, given in stages.items():
        _check_share(name, given, share)
    images = dataset.load(options.data_root, options.download)
    inputs = Inputs(dataset, images, options.output, device, share=share)
    return [Training(name, given, replace(inputs, condition=given.condition)) for name, given in stages.items()]


def _stages(name: str, dataset: Dataset, options: TrainOptions) -> dict[str, TrainOptions]:
    """The trainings, by name, with their options, in order."""
    _check(name, dataset, options)
    stages: dict[str, TrainOptions] = {}
    for needed in _needed(name):
        if not _exists(str(needed), dataset, options):
            stages |= _stages(str(needed), dataset, _options_of_teacher(needed, options))
    return stages | {name: options}


def _needed(name: str) -> list[Recipe]:
    """The recipes whose networks a training starts from."""
    recipe = _recipe(name)
    return [get_recipe(spec) for spec in (recipe.teacher, recipe.init_from) if spec] if recipe else []


def _options_of_teacher(teacher: Recipe, options: TrainOptions) -> TrainOptions:
    if teacher.teacher:
        return replace(options, pairs=options.pairs if teacher.pairs else None)
    common = "dataset latent output half quarter save_every device data_root download seed".split()
    return TrainOptions(**{name: getattr(options, name) for name in common})


def _exists(recipe: str, dataset: Dataset, options: TrainOptions) -> bool:
    try:
        return CheckpointKey.of(dataset, recipe).find(options.output).exists()
    except InputError:
        return False


def _recipe(name: str) -> Recipe | None:
    """The recipe of that name; None for an auxiliary network."""
    return None if is_auxiliary(name) else get_recipe(name)


def _check(name: str, dataset: Dataset, options: TrainOptions) -> None:
    """Raises InputError for a training that is impossible, or an option that has no effect on it."""
    if is_auxiliary(name):
        _check_auxiliary(AUXILIARIES.get(name), dataset, options)
    else:
        _check_recipe(get_recipe(name), dataset, options)


def _check_auxiliary(network: Auxiliary, dataset: Dataset, options: TrainOptions) -> None:
    kind, only = f"{network} is {network.described}", network.only
    _refuse_first(
        (only and dataset.name != only, f"{kind} of {only}: give --dataset {only}, without --latent."),
        *_common(dataset, options),
        (options.latent and not network.latent, f"--latent has no effect on {network}: leave it out."),
        (
            network.labels and not dataset.classes,
            f"{dataset.name} has no classes to recognise: choose another --dataset.",
        ),
        (options.condition, f"--condition has no effect on {network}: leave it out."),
        (options.compile, f"--compile is for the network of a recipe, and {kind}: leave it out."),
        (options.weak, f"--weak is for the network of a recipe, and {kind}: leave it out."),
        (options.pairs, f"--pairs has no effect on {network}, which is not trained on pairs: leave it out."),
    )


def _check_recipe(recipe: Recipe, dataset: Dataset, options: TrainOptions) -> None:
    solver = "solver" in recipe.provides
    stored = "quarter" if options.quarter else "half"
    _refuse_first(
        *_common(dataset, options),
        (
            solver and (options.half or options.quarter),
            f"{recipe} is a few numbers, which are always stored in full precision: leave out --{stored}.",
        ),
        (
            options.weak and recipe.teacher,
            f"--weak is for a network that guides, and {recipe} is a student: leave it out.",
        ),
        (
            options.pairs and not recipe.pairs,
            f"--pairs has no effect on {recipe}, which is not trained on pairs: leave it out.",
        ),
        (
            options.condition and not recipe.condition,
            f"--condition has no effect on {recipe}, whose network is told the label: leave it out.",
        ),
        (
            options.condition and recipe.condition and _kind(options.condition) != _kind(recipe.condition),
            f"{recipe} has the condition {recipe.condition}: --condition can change its options, not its kind.",
        ),
        (
            recipe.teacher and (recipe.condition or get_recipe(recipe.teacher).condition),
            f"{recipe} has a teacher, and networks with conditions cannot be distilled: unset `condition` in its class "
            "or its teacher's.",
        ),
        (
            (solver or recipe.pairs) and not recipe.teacher,
            f"{recipe} has no teacher, which it needs: set `teacher` in its class.",
        ),
    )


def _check_share(name: str, options: TrainOptions, share: Share) -> None:
    """Raises InputError if several processes cannot share the batches of a training."""
    recipe, count = _recipe(name), share.processes
    if count > 1:
        _refuse_first(
            (recipe is None, f"{name} is trained by a single process: leave out torchrun."),
            (
                recipe and recipe.coupled,
                f"The loss of {name} couples the images of a batch, so that {count} processes cannot share it: leave "
                "out torchrun.",
            ),
            (
                options.batch_size % count,
                f"{count} processes cannot share batches of {options.batch_size}: give --batch-size a multiple.",
            ),
        )


def _common(dataset: Dataset, options: TrainOptions) -> Iterator[tuple[object, str]]:
    """What is refused for recipes and auxiliary networks alike."""
    yield (
        dataset.distribution,
        f"{dataset.name} is known in closed form: there is nothing to train, `bench run` needs no weights.",
    )
    yield (
        options.half and options.quarter,
        "--half and --quarter are two ways to store the same weights: give one of them.",
    )
    yield (
        options.dtype not in TRAINABLE,
        f"Networks are not trained in {options.dtype!r}. {nearest(options.dtype, TRAINABLE)}",
    )


def _kind(condition: str) -> str:
    """The name of a condition. Raises SpecError if there is none."""
    return CONDITIONS.get(condition).name


def _refuse_first(*rules: tuple[object, str]) -> None:
    """Raises InputError with the message of the first rule that applies."""
    for applies, message in rules:
        if applies:
            raise InputError(message)
