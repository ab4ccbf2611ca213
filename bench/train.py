"""One training loop for every recipe: EMA weights, a loss curve, and exact resumption after a kill."""

import csv
import json
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.classifier import DigitsCNN
from bench.data import DATASETS, Dataset, Images, to_float
from bench.errors import InputError
from bench.network import NOISY_CLASSIFIER, architecture_of, checkpoint_path, pick_device, weak_name
from bench.provenance import utc_now
from methods import Field, Recipe, get_recipe
from models import (
    EMA,
    CheckpointError,
    NoisyClassifier,
    NoisyClassifierConfig,
    UNet,
    UNetConfig,
    load,
    save,
    weaker,
)
from models.checkpoint import architecture

Loss = Callable[[Tensor, Tensor], Tensor]  # images (B, C, H, W) in [-1, 1], labels (B,) -> the loss of each image (B,)
CLASSIFIER = "digits-cnn"
WARMUP = 200  # iterations over which the learning rate rises
LOG_EVERY = 50  # iterations a row of the loss curve sums up
SAVE_EVERY = 500  # iterations between two saves of the state


@dataclass(frozen=True)
class Settings:
    """How long and how a network is trained. `label_drop`: share of labels replaced by the null class."""

    iterations: int = 5_000
    batch_size: int = 128
    learning_rate: float = 1e-3
    ema_decay: float = 0.999
    label_drop: float = 0.1
    seed: int = 0

    def rate(self, iteration: int) -> float:
        """The learning rate: a linear rise, then half a cosine to zero."""
        rise = min(1.0, (iteration + 1) / WARMUP)
        return self.learning_rate * rise * (1 + cos(pi * iteration / self.iterations)) / 2


class Trainer:
    """A network in training, whose whole state is a flat dictionary of tensors.

    Every iteration draws from a seed of its own, so a resumed run repeats the uninterrupted one exactly.
    """

    def __init__(self, net: nn.Module, loss: Loss, images: Tensor, labels: Tensor, settings: Settings):
        self.net, self.loss, self.settings = net, loss, settings
        self.images, self.labels = images, labels
        self.ema = EMA(net, settings.ema_decay)
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=0.0)
        self.iteration = 0

    def run(self) -> Iterator[Tensor]:
        """Train up to `settings.iterations`, yielding each iteration's mean loss, a scalar on the device."""
        self.net.train()
        while self.iteration < self.settings.iterations:
            torch.manual_seed((self.settings.seed << 24) + self.iteration)
            batch = torch.randint(len(self.images), (self.settings.batch_size,)).to(self.images.device)
            loss = self.loss(to_float(self.images[batch]), self.labels[batch]).mean()

            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.rate(self.iteration)
            self.optimizer.step()
            self.ema.update(self.net)

            self.iteration += 1
            yield loss.detach()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next iteration depends on."""
        state = {f"net/{key}": value for key, value in self.net.state_dict().items()}
        state |= {f"ema/{key}": value for key, value in self.ema.weights.items()}
        for index, slots in self.optimizer.state_dict()["state"].items():
            state |= {f"adam/{index}/{slot}": value for slot, value in slots.items()}
        return state | {"iteration": torch.tensor(self.iteration)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Continue from what `state` returned."""
        self.net.load_state_dict({key[4:]: value for key, value in state.items() if key.startswith("net/")})
        for key, average in self.ema.weights.items():
            average.copy_(state[f"ema/{key}"])
        slots: dict[int, dict[str, Tensor]] = {}
        for key in (key for key in state if key.startswith("adam/")):
            _, index, slot = key.split("/")
            slots.setdefault(int(index), {})[slot] = state[key]
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": slots, "param_groups": groups})
        self.iteration = self.ema.updates = int(state["iteration"])


def recipe_loss(recipe: Recipe, field: Field, classes: int, drop: float, teacher: Field | None = None) -> Loss:
    """The recipe's loss on a batch, with a share of the labels replaced by the null class."""

    def loss(x0: Tensor, labels: Tensor) -> Tensor:
        dropped = torch.rand(len(labels), device=labels.device) < drop
        return recipe.loss(field, x0, labels.masked_fill(dropped, classes), torch.randn_like, teacher)

    return loss


Progress = Iterator[tuple[int, float, float]]  # (iteration, loss, images per second), every few iterations


@dataclass(frozen=True)
class Training:
    """A training made ready. `run` writes the checkpoint `output`; beside it lie the state and the loss curve."""

    name: str
    settings: Settings
    output: Path
    run: Callable[[], Progress]


def plan_training(
    recipe: str,
    dataset: str,
    output: str | None,
    half: bool,
    device: str,
    data_root: str | None,
    download: bool,
    weak: bool = False,
    **settings: object,
) -> Training:
    """What `bench train` is about to do, with the data loaded.

    weak: a recipe's network for autoguidance, smaller than the data set's own.
    Raises InputError or SpecError for a name that does not exist, data that is not there or needs no network, or a
    classifier that is asked of other data than the digits.
    """
    source, where = DATASETS.get(dataset), pick_device(device)
    build = CLASSIFIERS.get(recipe) or (weak_trainer if weak else recipe_trainer)
    recipe = recipe if recipe in CLASSIFIERS else str(get_recipe(recipe))
    if recipe == CLASSIFIER and dataset != "digits":
        raise InputError(f"{CLASSIFIER} is a classifier of the digits: leave out --dataset.")
    if source.distribution:
        raise InputError(f"{dataset} is known in closed form: there is nothing to train, `bench run` needs no weights.")
    if recipe in CLASSIFIERS and weak:
        raise InputError(f"--weak is for the network of a recipe, and {recipe} is a classifier: leave it out.")
    images, chosen = source.load(data_root, download), Settings(**settings)
    path = checkpoint_path(output, dataset, weak_name(recipe) if weak else recipe)

    def run() -> Progress:
        torch.manual_seed(chosen.seed)
        trainer, facts = build(recipe, source, images, chosen, where)
        return fit(trainer, facts | {"dataset": dataset, "data": images.digest}, path, half)

    return Training(recipe, chosen, path, run)


def recipe_trainer(
    spec: str, dataset: Dataset, images: Images, settings: Settings, device: torch.device
) -> tuple[Trainer, dict[str, object]]:
    """The trainer of a recipe's U-Net, and the facts for its checkpoint."""
    recipe = get_recipe(spec)
    return _unet_trainer(recipe, architecture_of(recipe, dataset.preset), dataset, images, settings, device)


def weak_trainer(
    spec: str, dataset: Dataset, images: Images, settings: Settings, device: torch.device
) -> tuple[Trainer, dict[str, object]]:
    """The same for the recipe's weaker network."""
    recipe = get_recipe(spec)
    return _unet_trainer(recipe, weaker(architecture_of(recipe, dataset.preset)), dataset, images, settings, device)


def _unet_trainer(
    recipe: Recipe, config: UNetConfig, dataset: Dataset, images: Images, settings: Settings, device: torch.device
) -> tuple[Trainer, dict[str, object]]:
    net, path = UNet(config), recipe.path
    if recipe.learns_path:  # as a part of the network it shares the optimiser, the average and the file
        net.path = path = deepcopy(path).requires_grad_(True)
    net = net.to(device, memory_format=torch.channels_last)
    loss = recipe_loss(recipe, Field(net, path, recipe.target), dataset.classes, settings.label_drop)
    trainer = Trainer(net, loss, images.train.to(device), images.train_labels.to(device), settings)
    return trainer, {"recipe": recipe, "architecture": architecture(net.config)}


def classifier_trainer(
    name: str, dataset: Dataset, images: Images, settings: Settings, device: torch.device
) -> tuple[Trainer, dict[str, object]]:
    """The trainer of the classifier whose features measure quality on the digits, and the facts for its checkpoint."""
    net = DigitsCNN().to(device)
    trainer = Trainer(net, net.loss, images.train.to(device), images.train_labels.to(device), settings)
    return trainer, {"extractor": name}


def noisy_classifier_trainer(
    name: str, dataset: Dataset, images: Images, settings: Settings, device: torch.device
) -> tuple[Trainer, dict[str, object]]:
    """The trainer of the classifier that classifier guidance asks, and the facts for its checkpoint."""
    config = NoisyClassifierConfig(dataset.resolution, dataset.channels, classes=dataset.classes)
    net = NoisyClassifier(config).to(device)
    trainer = Trainer(net, net.loss, images.train.to(device), images.train_labels.to(device), settings)
    return trainer, {"classifier": name, "architecture": architecture(config)}


CLASSIFIERS = {CLASSIFIER: classifier_trainer, NOISY_CLASSIFIER: noisy_classifier_trainer}


def fit(trainer: Trainer, facts: dict[str, object], output: Path, half: bool) -> Progress:
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

    save(output, trainer.ema.weights, run | {"iterations": trainer.iteration, "date": utc_now()}, half)


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
