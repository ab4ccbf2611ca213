"""The U-Net that a recipe trains, with what it is told of each training image: labels or conditions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from samplerbench.data.dataset import Dataset
from samplerbench.errors import InputError
from samplerbench.methods import Recipe
from samplerbench.models import PRESETS, UNet, UNetConfig, fitting, weaker
from samplerbench.models.kinds import facts_of
from samplerbench.networks.checkpoints import architecture_of
from samplerbench.networks.conditioned import Conditioned
from samplerbench.networks.conditions.base import CONDITIONS, Condition, Source
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.training.loop import LabelledImages
from samplerbench.training.teacher import init_from_teacher


@dataclass(frozen=True)
class NewNetwork:
    """A U-Net to train.

    call: the network as a field calls it. data: the training images with the label, or the number of the condition,
    of each. classes: how many of these there are; the next number stands for none. condition: its spec, if it has one.
    """

    net: UNet
    call: Callable[..., Tensor]
    data: LabelledImages
    classes: int
    condition: str = ""

    @property
    def facts(self) -> dict[str, str]:
        """What a checkpoint records of it."""
        facts = facts_of(self.net)
        return {"kind": facts.kind, "architecture": facts.architecture, "condition": self.condition}


def new_network(
    recipe: Recipe,
    space: Dataset,
    data: LabelledImages,
    start: LoadedNetwork | None,
    weak: bool = False,
    given: str | None = None,
) -> NewNetwork:
    """The network of a recipe, with weights from `start` or from torch's global generator.

    given: the condition, instead of the recipe's.
    Raises InputError for images that no U-Net fits, or that lack what the condition is made of.
    """
    spec = given or recipe.condition
    condition = CONDITIONS.get(spec) if spec else None
    net = UNet(_config(recipe, space, condition, weak))
    if start:
        init_from_teacher(net, cast(UNet, start.eager))
    if condition is None:
        return NewNetwork(net, net, data, space.classes)
    conditions = condition.training(Source.of(space))
    copies = len(conditions) // len(data)  # of each image, under different conditions
    images, numbers = data.images.repeat(copies, 1, 1, 1), torch.arange(len(conditions), device=data.images.device)
    call = Conditioned(net, conditions).to(images.device)
    return NewNetwork(net, call, LabelledImages(images, numbers), len(conditions), str(condition))


def _config(recipe: Recipe, space: Dataset, condition: Condition | None, weak: bool) -> UNetConfig:
    config = replace(architecture_of(recipe, _usual(space)), classes=0 if condition else space.classes)
    if condition:
        config = replace(config, **condition.network(space))
    return weaker(config) if weak else config


def _usual(space: Dataset) -> UNetConfig:
    """The data set's preset, or a U-Net that fits images of its size. Raises InputError if there is none."""
    try:
        return PRESETS.get(space.preset) or fitting(space.resolution, space.channels)
    except ValueError as error:
        raise InputError(f"{space} cannot be trained on: {error}.") from error
