"""What can be trained: the network of a recipe with its modules, a learned solver, an auxiliary network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path as FilePath

import torch
from torch import Tensor

from samplerbench.data.dataset import Dataset, Images
from samplerbench.errors import InputError
from samplerbench.methods import Field, Noise, Recipe
from samplerbench.models import CheckpointFacts
from samplerbench.models.kinds import facts_of
from samplerbench.networks.checkpoints import FOLDER
from samplerbench.networks.conditions.base import Source
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.networks.training_cost import NOTHING, TrainingCost
from samplerbench.training.auxiliary import Auxiliary
from samplerbench.training.loop import LabelledImages, Task
from samplerbench.training.modules import NETWORK, TrainedModules
from samplerbench.training.network import new_network
from samplerbench.training.pairs import Pairs
from samplerbench.training.share import WHOLE, Share
from samplerbench.training.teacher import Teacher, cost_of_stages, load_teacher


@dataclass(frozen=True)
class Inputs:
    """What every training takes.

    folder: of the user's own checkpoints. condition: instead of the recipe's. share: of this process.
    """

    dataset: Dataset
    images: Images
    folder: str | None
    device: torch.device
    condition: str | None = None
    share: Share = WHOLE

    @cached_property
    def labelled(self) -> LabelledImages:
        """The training images, on the device."""
        return LabelledImages(self.images.train.to(self.device), self.images.train_labels.to(self.device))

    @property
    def source(self) -> Source:
        """What conditions are made from."""
        return Source(self.dataset, self.images.pixels)

    def recorded(self, facts: CheckpointFacts) -> CheckpointFacts:
        """The facts of a checkpoint, completed by the data set."""
        return replace(facts, dataset=self.dataset.slug, data=self.images.digest, latent=self.dataset.latent)


@dataclass(frozen=True)
class Lesson:
    """What a recipe is trained from besides images.

    pairs: of noise and the teacher's image, for a recipe that is trained on them.
    start: the network whose weights training starts from; None for random weights.
    """

    teacher: Teacher | None = None
    pairs: Pairs | None = None
    start: LoadedNetwork | None = None

    @property
    def cost(self) -> TrainingCost:
        """What was spent before this training. Pairs that `start` was trained on too are counted once."""
        spent = cost_of_stages(self.start) if self.start else NOTHING
        shared = self.start and self.pairs and self.start.origin.facts.pairs == self.pairs.label
        return spent + self.pairs.cost if self.pairs and not shared else spent


def prepare(recipe: Recipe, inputs: Inputs, pairs: int) -> Lesson:
    """Load the networks that a recipe is trained from. Raises InputError or CheckpointError."""
    where = inputs.dataset, inputs.folder, inputs.device
    teacher = load_teacher(recipe.teacher, *where) if recipe.teacher else None
    start = load_teacher(recipe.init_from, *where) if recipe.init_from else teacher
    root = FilePath(inputs.folder or FOLDER) / inputs.dataset.slug / "pairs"
    made = Pairs(root, teacher.network, pairs) if recipe.pairs and teacher else None
    return Lesson(teacher, made, start.network if start else None)


def recipe_task(recipe: Recipe, inputs: Inputs, lesson: Lesson, label_drop: float, weak: bool = False) -> Task:
    """The training of a recipe: of a U-Net with the modules trained besides it, or of a learned solver alone.

    weak: train the smaller U-Net, for autoguidance. New weights are drawn from torch's global generator.
    """
    teacher, modules = lesson.teacher, dict(recipe.modules(lesson.teacher.network.eager if lesson.teacher else None))
    facts = inputs.recorded(CheckpointFacts(recipe=str(recipe), pairs=lesson.pairs.label if lesson.pairs else ""))
    facts = teacher.recorded(facts) if teacher else facts
    data, classes = inputs.labelled, inputs.dataset.classes
    if "solver" in modules and teacher:
        trained, field = TrainedModules(modules), replace(teacher.field, modules=modules)
    elif NETWORK in modules:
        raise ValueError(f"{recipe}.modules returns a module named {NETWORK!r}, which is that of the U-Net: rename it")
    else:
        new = new_network(recipe, inputs.source, inputs.labelled, lesson.start, weak, inputs.condition)
        trained, field = TrainedModules({NETWORK: new.net} | modules), recipe.field(new.call, modules)
        data, classes, facts = new.data, new.classes, replace(facts, **new.facts)
    inputs.share.share_dropout(trained)
    loss = RecipeLoss(recipe, field, classes, label_drop, teacher.field if teacher else None, inputs.share)
    counted, trained = teacher.counted if teacher else None, _on(inputs.device, trained)
    return Task(trained, loss, lesson.pairs or data, facts, counted, lesson.cost, share=inputs.share)


def _on(device: torch.device, modules: TrainedModules) -> TrainedModules:
    # Channels last is faster on a GPU; on a CPU, training steps of the digits' network took 1.2 times as long.
    layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
    return modules.to(device).to(memory_format=layout)


@dataclass(frozen=True)
class RecipeLoss:
    """The loss of a recipe on a batch. Labels are replaced by the null class, `classes`, at the rate `label_drop`.

    Labels of pairs are kept, since each image was generated from its noise under its label.
    """

    recipe: Recipe
    field: Field
    classes: int
    label_drop: float
    teacher: Field | None = None
    share: Share = WHOLE

    def __call__(self, fraction: float, x0: Tensor, labels: Tensor, eps: Tensor | None = None) -> Tensor:
        """The loss of each image (B,), after this fraction of the training; eps: the noise of pairs."""
        recipe = self.recipe.at_progress(fraction)
        if eps is not None:
            return recipe.loss(self.field, x0, labels, paired_noise(eps, self.noise), self.teacher)
        drawn = self.share.drawn(partial(torch.rand_like, dtype=torch.float32), labels)
        labels = labels.masked_fill(drawn < self.label_drop, self.classes)
        return recipe.loss(self.field, x0, labels, self.noise, self.teacher)

    def noise(self, x: Tensor) -> Tensor:
        """Standard normal noise in the shape of x (B, ...)."""
        return self.share.drawn(torch.randn_like, x)


def paired_noise(eps: Tensor, noise: Noise) -> Noise:
    """A `Noise` that returns eps for tensors in the shape of eps, and that of `noise` for others."""
    return lambda x: eps if x.shape == eps.shape else noise(x)


def auxiliary_task(auxiliary: Auxiliary, inputs: Inputs) -> Task:
    """The training of an auxiliary network. New weights are drawn from torch's global generator.

    Raises InputError if there is none for images of this size.
    """
    try:
        net = auxiliary.network(inputs.dataset).to(inputs.device)
    except ValueError as error:
        raise InputError(f"{inputs.dataset} cannot be trained on: {error}.") from error
    modules, data = TrainedModules({NETWORK: net}), inputs.labelled
    loss = auxiliary.loss(net, inputs.dataset, inputs.device)

    @torch.inference_mode()
    def finish(weights: Mapping[str, Tensor]) -> Mapping[str, str]:
        net.load_state_dict(weights)
        return auxiliary.measured(net.eval(), data.floats(data.images))

    return Task(modules, loss, data, inputs.recorded(facts_of(net)), finish=finish)
