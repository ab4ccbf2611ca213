"""What `bench train` does: networks and classifiers, students after their teachers, each resumed where it stopped."""

import csv
import json
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from bench.classifier import DigitsCNN
from bench.data import DATASETS, Dataset, Images
from bench.errors import InputError
from bench.network import (
    FOLDER,
    NOISY_CLASSIFIER,
    architecture_of,
    checkpoint_path,
    find_checkpoint,
    pick_device,
    weak_name,
)
from bench.pairs import Pairs
from bench.provenance import utc_now
from bench.teaching import Teacher, begin_with, load_teacher
from bench.trainer import LabelledImages, Loss, Settings, Trainer
from methods import Field, Recipe, get_recipe
from models import CheckpointError, NoisyClassifier, NoisyClassifierConfig, UNet, load, save, weaker
from models.checkpoint import Storage, architecture

CLASSIFIER = "digits-cnn"
CRITIC = "critic."  # what the names of weights begin with that only training needs
PAIRS = 50_000  # of noise and image, unless told otherwise
LOG_EVERY = 50  # iterations a row of the loss curve sums up
SAVE_EVERY = 500  # iterations between two saves of the state


def recipe_loss(recipe: Recipe, field: Field, classes: int, drop: float, teacher: Field | None = None) -> Loss:
    """The recipe's loss on a batch, with a share of the labels replaced by the null class.

    Labels of pairs stay: an image was made of its noise under its own label.
    """

    def loss(share: float, x0: Tensor, labels: Tensor, eps: Tensor | None = None) -> Tensor:
        now = recipe.during(share)
        if eps is not None:
            return now.loss(field, x0, labels, coupled(eps), teacher)
        dropped = torch.rand(len(labels), device=labels.device) < drop
        return now.loss(field, x0, labels.masked_fill(dropped, classes), torch.randn_like, teacher)

    return loss


def coupled(eps: Tensor) -> Callable[[Tensor], Tensor]:
    """Noise that is eps where it is drawn in the shape of eps, and fresh elsewhere."""
    return lambda x: eps if x.shape == eps.shape else torch.randn_like(x)


Progress = Iterator[tuple[int, float, float]]  # (done, loss, images per second), every few iterations


@dataclass(frozen=True)
class Training:
    """A training made ready. `run` writes the checkpoint `output`; beside it lie the state and the loss curve.

    It first makes the pairs that the recipe lacks, for which the loss is NaN.
    """

    name: str
    settings: Settings
    output: Path
    run: Callable[[], Progress]


def plan_chain(recipe: str, **options: object) -> list[Training]:
    """What the teachers of a recipe still lack, and its own training, in turn; the options are `plan_training`'s.

    A teacher that is a student itself is trained with the same settings, an ordinary network with the default ones.
    """
    training = plan_training(recipe, **options)
    taught = None if recipe in CLASSIFIERS else get_recipe(recipe)
    if not (taught and taught.teacher) or _exists(taught.teacher, options["dataset"], options["output"]):
        return [training]
    given = options if get_recipe(taught.teacher).student else {name: options[name] for name in COMMON}
    return [*plan_chain(taught.teacher, **given), training]


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

    return Training(recipe, chosen, path, run)


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


@dataclass(frozen=True)
class Lesson:
    """What a student learns from: its teacher, and pairs that the teacher makes."""

    teacher: Teacher
    pairs: Pairs | None


def prepare(recipe: Recipe, dataset: Dataset, folder: str | None, device: torch.device, pairs: int) -> Lesson | None:
    """What a recipe's network learns from beside the images; None where it has no teacher. Raises InputError."""
    if not recipe.teacher:
        return None
    teacher = load_teacher(recipe.teacher, dataset, folder, device)
    root = Path(folder or FOLDER) / dataset.name / "pairs"
    return Lesson(teacher, Pairs(root, teacher, dataset, pairs, device) if recipe.pairs else None)


def recipe_trainer(
    spec: str,
    dataset: Dataset,
    images: Images,
    settings: Settings,
    device: torch.device,
    weak: bool = False,
    lesson: Lesson | None = None,
) -> tuple[Trainer, dict[str, object]]:
    """The trainer of a recipe's U-Net, or of its weaker one, and the facts for its checkpoint."""
    recipe = get_recipe(spec)
    config = architecture_of(recipe, dataset.preset)
    net, path = UNet(weaker(config) if weak else config), recipe.path
    if recipe.learns_path:  # as a part of the network it shares the optimiser, the average and the file
        net.path = path = deepcopy(path).requires_grad_(True)
    data, facts = LabelledImages(images.train.to(device), images.train_labels.to(device)), {}
    if lesson:
        begin_with(net, lesson.teacher.unet)
        if recipe.critic:
            net.critic = deepcopy(lesson.teacher.unet).train().requires_grad_(True)
        facts = lesson.teacher.facts
    if lesson and lesson.pairs:
        data, facts = lesson.pairs, facts | {"pairs": f"{len(lesson.pairs)} {lesson.pairs.digest}"}
    # Channels last is what a GPU likes; on a CPU it made a training step of the digits' network 1.2 times slower.
    net = net.to(device, memory_format=torch.channels_last if device.type == "cuda" else torch.contiguous_format)
    field = Field(net, path, recipe.target, interval=config.interval)
    loss = recipe_loss(recipe, field, dataset.classes, settings.label_drop, lesson and lesson.teacher.field)
    trainer = Trainer(net, loss, data, settings, *_costs(lesson))
    return trainer, {"recipe": recipe, "architecture": architecture(net.config)} | facts


def solver_trainer(
    spec: str, dataset: Dataset, settings: Settings, lesson: Lesson
) -> tuple[Trainer, dict[str, object]]:
    """The trainer of a sampler's own numbers, on the network of the teacher, and the facts for its checkpoint."""
    recipe, teacher = get_recipe(spec), lesson.teacher
    solver = deepcopy(recipe.solver).requires_grad_(True).to(lesson.pairs.device)
    field = replace(teacher.field, solver=solver)
    loss = recipe_loss(recipe, field, dataset.classes, settings.label_drop, teacher.field)
    facts = {"recipe": recipe} | teacher.facts | {"pairs": f"{len(lesson.pairs)} {lesson.pairs.digest}"}
    return Trainer(solver, loss, lesson.pairs, settings, *_costs(lesson)), facts


def _costs(lesson: Lesson | None) -> tuple:
    """The network whose evaluations a training counts, and what was spent before it."""
    if lesson is None:
        return ()
    spent = lesson.teacher.cost
    return lesson.teacher.net, spent + lesson.pairs.cost if lesson.pairs else spent


def classifier_trainer(
    name: str, dataset: Dataset, images: Images, settings: Settings, device: torch.device
) -> tuple[Trainer, dict[str, object]]:
    """The trainer of the classifier whose features measure quality on the digits, and the facts for its checkpoint."""
    net = DigitsCNN().to(device)
    return _classifier_trainer(net, images, settings, device), {"extractor": name}


def noisy_classifier_trainer(
    name: str, dataset: Dataset, images: Images, settings: Settings, device: torch.device
) -> tuple[Trainer, dict[str, object]]:
    """The trainer of the classifier that classifier guidance asks, and the facts for its checkpoint."""
    config = NoisyClassifierConfig(dataset.resolution, dataset.channels, classes=dataset.classes)
    trainer = _classifier_trainer(NoisyClassifier(config).to(device), images, settings, device)
    return trainer, {"classifier": name, "architecture": architecture(config)}


def _classifier_trainer(net, images: Images, settings: Settings, device: torch.device) -> Trainer:
    data = LabelledImages(images.train.to(device), images.train_labels.to(device))
    return Trainer(net, lambda share, *batch: net.loss(*batch), data, settings)


CLASSIFIERS = {CLASSIFIER: classifier_trainer, NOISY_CLASSIFIER: noisy_classifier_trainer}


def fit(trainer: Trainer, facts: dict[str, object], output: Path, storage: Storage) -> Progress:
    """Run a trainer to its end, saving as it goes; the last save writes the EMA weights and `facts` to `output`."""
    run = {key: str(value) for key, value in facts.items()} | _settings(trainer.settings)
    state_file = output.with_suffix(".state.safetensors")
    _resume(trainer, run, state_file)
    curve = Curve(output.with_suffix(".loss.csv"), trainer.iteration)

    try:
        for loss in trainer.run():
            row = curve.add(trainer.iteration, loss, trainer.settings.batch_size)
            if trainer.iteration % SAVE_EVERY == 0:
                save(state_file, trainer.state(), run)
            if row:
                yield row
    finally:
        save(state_file, trainer.state(), run)
        curve.draw()

    weights = {key: value for key, value in trainer.ema.weights.items() if not key.startswith(CRITIC)}
    done = {"iterations": trainer.iteration, "cost": trainer.cost, "date": utc_now()}
    save(output, weights, run | done, storage)


def _settings(settings: Settings) -> dict[str, str]:
    """The settings that a resumed run must share; it may ask for more iterations."""
    return {key: json.dumps(value) for key, value in asdict(settings).items() if key != "iterations"}


def _resume(trainer: Trainer, run: dict[str, str], state_file: Path) -> None:
    if not state_file.exists():
        return
    state = load(state_file)
    differing = sorted(key for key in run if state.metadata.get(key) != run[key])
    if differing:
        raise InputError(
            f"{state_file} belongs to a run with another {', '.join(differing)}: remove it or choose another --output."
        )
    try:
        trainer.restore(state.weights)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(f"{state_file} is not the state of this network; remove it to start again.") from error


class Curve:
    """The loss curve: the mean over every few iterations, as a CSV that grows and a picture of it."""

    def __init__(self, path: Path, iteration: int):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [row for row in self._read() if row[0] <= iteration]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("iteration", "loss", "images_per_s"), *rows])
        self.losses: list[Tensor] = []
        self.start = time.perf_counter()

    def _read(self) -> list[tuple[int, float, float]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [(int(i), float(loss), float(rate)) for i, loss, rate in list(csv.reader(file))[1:]]

    def add(self, iteration: int, loss: Tensor, batch_size: int) -> tuple[int, float, float] | None:
        """Note a loss; a row (iteration, mean loss, images per second) whenever one is complete."""
        self.losses.append(loss)
        if iteration % LOG_EVERY:
            return None
        mean = torch.stack(self.losses).mean().item()
        rate = len(self.losses) * batch_size / (time.perf_counter() - self.start)
        row = (iteration, round(mean, 6), round(rate, 1))
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        self.losses, self.start = [], time.perf_counter()
        return row

    def draw(self) -> None:
        """Write the curve beside the CSV as a PNG."""
        from matplotlib.figure import Figure

        rows = self._read()
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot([row[0] for row in rows], [row[1] for row in rows], linewidth=1)
        axes.set(xlabel="iteration", ylabel="loss", yscale="log", title=self.path.name.removesuffix(".loss.csv"))
        axes.grid(alpha=0.3)
        figure.savefig(self.path.with_suffix(".png"), dpi=120)
