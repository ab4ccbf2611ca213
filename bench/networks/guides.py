"""What guidances need beside the network: the noise-aware classifier, the weaker network."""

from collections.abc import Collection
from dataclasses import replace

import torch

from samplerbench.data.datasets import Dataset
from samplerbench.errors import InputError
from samplerbench.methods import Guidance
from samplerbench.models import CheckpointError, load, shipped
from samplerbench.networks.backbone import (
    NOISY_CLASSIFIER,
    Backbone,
    NoisyJudge,
    find_checkpoint,
    load_backbone,
    weak_name,
)


def equip(backbone: Backbone, guidances: Collection[Guidance], dataset: Dataset, folder: str | None) -> Backbone:
    """The same backbone with all that these guidances ask for.

    Raises InputError if the network has no classes where they are needed, or a checkpoint is missing, and
    CheckpointError if one does not fit.
    """
    for guidance in guidances:
        if guidance.labelled and not backbone.labelled:
            raise InputError(
                f"{guidance} needs a network with classes, and {backbone.recipe} on {dataset.name} has none: leave out "
                "--guidance, or use auto."
            )
    needs = {guidance.needs for guidance in guidances}
    if "classifier" in needs:
        backbone = replace(backbone, judge=load_judge(dataset, folder, backbone.device))
    if "weak" in needs:
        backbone = replace(backbone, weak=load_weak(backbone, dataset, folder))
    return backbone


def load_judge(dataset: Dataset, folder: str | None, device: torch.device) -> NoisyJudge:
    """The noise-aware classifier of a data set."""
    checkpoint = load(find_checkpoint(folder, dataset.name, NOISY_CLASSIFIER))
    net = checkpoint.noisy_classifier()
    trained = (net.config.resolution, net.config.image_channels, net.config.classes)
    if trained != (dataset.resolution, dataset.channels, dataset.classes):
        raise CheckpointError(
            f"{checkpoint.path} was trained for other images or classes than those of {dataset.name}: retrain it with "
            f"`bench train {NOISY_CLASSIFIER} --dataset {dataset.name}`."
        )
    source = "shipped" if checkpoint.path == shipped(dataset.name, NOISY_CLASSIFIER) else str(checkpoint.path)
    return NoisyJudge(net.requires_grad_(False).to(device), source, checkpoint.digest)


def load_weak(backbone: Backbone, dataset: Dataset, folder: str | None) -> Backbone:
    """The weaker network of a backbone's recipe, in the same precision."""
    recipe = str(backbone.recipe)
    if backbone.recipe.learns_path:
        raise InputError(
            f"A network of {recipe} learns its own noise levels, so that none can guide another: leave out auto."
        )
    weak = load_backbone(
        recipe, dataset, folder, backbone.device, backbone.dtype, backbone.compiled, name=weak_name(recipe)
    )
    if weak.unet.config.classes != backbone.unet.config.classes:
        raise CheckpointError(f"The weaker network of {recipe} has other classes than the one to guide: retrain it.")
    return weak
