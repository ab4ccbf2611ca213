"""The trainers of what can be trained: a recipe's network, a learned solver, the classifiers."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from samplerbench.data.datasets import Dataset, Images
from samplerbench.methods import Field, Recipe, get_recipe
from samplerbench.models import NoisyClassifier, NoisyClassifierConfig, UNet, weaker
from samplerbench.models.checkpoint import architecture
from samplerbench.models.digits_cnn import DigitsCNN
from samplerbench.networks.backbone import FOLDER, NOISY_CLASSIFIER, architecture_of
from samplerbench.training.loop import LabelledImages, Loss, Settings, Trainer
from samplerbench.training.pairs import Pairs
from samplerbench.training.teacher import Teacher, begin_with, load_teacher

CLASSIFIER = "digits-cnn"


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


@dataclass(frozen=True)
class Lesson:
    """What a student learns from: its teacher, the teacher's pairs, and a student whose weights it begins with."""

    teacher: Teacher
    pairs: Pairs | None
    start: Teacher | None


def prepare(recipe: Recipe, dataset: Dataset, folder: str | None, device: torch.device, pairs: int) -> Lesson | None:
    """What a recipe's network learns from beside the images; None where it has no teacher. Raises InputError."""
    if not recipe.teacher:
        return None
    teacher = load_teacher(recipe.teacher, dataset, folder, device)
    root = Path(folder or FOLDER) / dataset.name / "pairs"
    made = Pairs(root, teacher, dataset, pairs, device) if recipe.pairs else None
    return Lesson(teacher, made, load_teacher(recipe.start, dataset, folder, device) if recipe.start else None)


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
        begin_with(net, (lesson.start or lesson.teacher).unet)
        if recipe.critic:
            net.critic = deepcopy(lesson.teacher.unet).train().requires_grad_(True)
        facts = lesson.teacher.facts
    if lesson and lesson.pairs:
        data, facts = lesson.pairs, facts | {"pairs": lesson.pairs.label}
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
    facts = {"recipe": recipe} | teacher.facts | {"pairs": lesson.pairs.label}
    return Trainer(solver, loss, lesson.pairs, settings, *_costs(lesson)), facts


def _costs(lesson: Lesson | None) -> tuple:
    """The network whose evaluations a training counts, and what was spent before it."""
    if lesson is None:
        return ()
    spent = (lesson.start or lesson.teacher).cost
    shared = lesson.start and lesson.start.checkpoint.metadata.get("pairs") == lesson.pairs.label
    return lesson.teacher.net, spent + lesson.pairs.cost if lesson.pairs and not shared else spent


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


def _classifier_trainer(net: nn.Module, images: Images, settings: Settings, device: torch.device) -> Trainer:
    data = LabelledImages(images.train.to(device), images.train_labels.to(device))
    return Trainer(net, lambda share, *batch: net.loss(*batch), data, settings)


CLASSIFIERS = {CLASSIFIER: classifier_trainer, NOISY_CLASSIFIER: noisy_classifier_trainer}
