"""The networks that guidances need: a classifier of noisy images, a weaker network."""

from collections.abc import Collection
from dataclasses import replace

import torch

from samplerbench.data.dataset import Dataset
from samplerbench.errors import InputError
from samplerbench.methods import Guidance, get_recipe, unmet
from samplerbench.models import CheckpointError
from samplerbench.networks.checkpoints import CheckpointKey, load_network
from samplerbench.networks.loaded import GuideClassifier, LoadedNetwork

NOISY_CLASSIFIER = "noisy-classifier"  # the name of its checkpoint


def with_guides(
    network: LoadedNetwork, guidances: Collection[Guidance], dataset: Dataset, folder: str | None
) -> LoadedNetwork:
    """The same network with everything that these guidances need.

    Raises InputError if it lacks what they require or a checkpoint is missing, CheckpointError if one does not fit.
    """
    for guidance in guidances:
        reason = unmet(guidance.requires, network.provides, f"{network.name} on {dataset.name}")
        if reason:
            advice = "leave out --guidance" if not network.home else "leave out --guidance, or use auto"
            raise InputError(f"{guidance} cannot guide {network.name}: {reason}; {advice}.")
    guides, needs = dict(network.guides), {guidance.needs for guidance in guidances}
    if network.home:
        dataset, folder = network.home.space, network.home.folder
    if "classifier" in needs:
        guides["classifier"] = load_classifier(dataset, folder, network.device)
    if "weak" in needs:
        guides["weak"] = load_weak(network, dataset, folder)
    return replace(network, guides=guides)


def load_classifier(dataset: Dataset, folder: str | None, device: torch.device) -> GuideClassifier:
    """The classifier of noisy images of a data set. Raises InputError or CheckpointError."""
    checkpoint, origin = CheckpointKey.of(dataset, NOISY_CLASSIFIER).load(folder)
    net = checkpoint.noisy_classifier()
    trained = (net.config.resolution, net.config.image_channels, net.config.classes)
    if trained != (dataset.resolution, dataset.channels, dataset.classes):
        raise CheckpointError(
            f"{checkpoint.path} was trained for other images or classes than those of {dataset}: retrain it with "
            f"`bench train {NOISY_CLASSIFIER} {dataset.flags}`."
        )
    return GuideClassifier(NOISY_CLASSIFIER, net.requires_grad_(False).to(device), origin)


def load_weak(network: LoadedNetwork, dataset: Dataset, folder: str | None) -> LoadedNetwork:
    """The weaker network of the same recipe, in the same precision. Raises InputError or CheckpointError."""
    if not network.home:
        raise InputError(f"{network.name} has no weaker network beside it: leave out auto.")
    recipe = network.origin.facts.recipe
    if "path" in get_recipe(recipe).modules():
        raise InputError(
            f"{network.name} learns its own noise path, which a weaker network does not share: leave out auto."
        )
    own = network.origin.source != "shipped"
    weak = load_network(recipe, dataset, folder, network.device, network.dtype, network.compiled, weak=True, strict=own)
    if weak.classes != network.classes:
        raise CheckpointError(
            f"The weaker network of {network.name} was trained for other classes than the one it guides: retrain it."
        )
    return weak
