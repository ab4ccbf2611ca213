"""The network under test: where its weights come from, in what precision it runs, how often it was called."""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.data import Dataset
from bench.errors import InputError
from bench.noise import image_labels
from bench.timing import Stopwatch
from methods import Field, Recipe, get_recipe
from methods import Path as MethodPath
from models import PRESETS, Checkpoint, CheckpointError, UNet, UNetConfig, load, shipped

FOLDER = "checkpoints"  # the user's own checkpoints, unless told otherwise


class Network:
    """What a Field calls: a U-Net in its own precision, whose evaluations are counted and timed, not declared."""

    def __init__(self, net: nn.Module, dtype: torch.dtype, device: torch.device):
        self.net, self.dtype = net, dtype
        self.evaluations = 0  # of single images
        self.stopwatch = Stopwatch(device)  # a lap for each call

    def __call__(self, x: Tensor, t: Tensor, *rest: Tensor | None) -> Tensor:
        self.evaluations += len(x)
        cast = x.to(self.dtype)
        with self.stopwatch.lap():
            predicted = self.net(cast, t, *rest)
        return predicted.to(x.dtype)


@dataclass(frozen=True)
class Backbone:
    """A trained (or, for timing, random) U-Net ready to run, with the recipe that says how to read it.

    path: the recipe's, or what the checkpoint made of it.
    source: "shipped", "random", or the path of the user's own checkpoint.
    digest: of the checkpoint file, or "random".
    """

    unet: UNet
    net: nn.Module  # the U-Net, compiled or not
    recipe: Recipe
    path: MethodPath
    source: str
    digest: str
    dtype: torch.dtype
    device: torch.device

    @property
    def compiled(self) -> bool:
        """Whether the network runs through torch.compile."""
        return self.net is not self.unet

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        config = self.unet.config
        return config.image_channels, config.resolution, config.resolution

    def field(self, label: Tensor | None) -> Field:
        """A Field with a fresh counter, for images with these labels (B,)."""
        return Field(Network(self.net, self.dtype, self.device), self.path, self.recipe.target, label)

    def labels(self, block: int, indices: range) -> Tensor | None:
        """The labels (B,) of these images; None for a network without classes."""
        classes = self.unet.config.classes
        return image_labels(block, indices, classes).to(self.device) if classes else None


def find_checkpoint(folder: str | None, dataset: str, recipe: str) -> Path:
    """The checkpoint of a recipe: the user's own in `folder` before the shipped one. Raises InputError if none is."""
    for path in (checkpoint_path(folder, dataset, recipe), shipped(dataset, recipe)):
        if path.exists():
            return path
    raise InputError(
        f"There is no checkpoint of {recipe} for {dataset} in {folder or FOLDER!r}: "
        f"train it with `bench train {recipe} --dataset {dataset}`."
    )


def checkpoint_path(folder: str | None, dataset: str, recipe: str) -> Path:
    """Where `bench train` writes and `bench run` looks."""
    return Path(folder or FOLDER) / dataset / f"{recipe}.safetensors"


def load_backbone(
    recipe: str, dataset: Dataset, folder: str | None, device: torch.device, dtype: torch.dtype, compiled: bool
) -> Backbone:
    """The trained network of a recipe. Raises InputError or CheckpointError if there is none that fits."""
    checkpoint = load(find_checkpoint(folder, dataset.name, recipe))
    unet = checkpoint.unet()
    trained = (checkpoint.metadata.get("recipe"), unet.config.resolution, unet.config.image_channels)
    if trained != (recipe, dataset.resolution, dataset.channels):
        raise CheckpointError(
            f"{checkpoint.path} was trained for {trained[0]} on {trained[2]}x{trained[1]}x{trained[1]} images, not for "
            f"{recipe} on {dataset.name}: restore the right file or retrain it."
        )
    source = "shipped" if checkpoint.path == shipped(dataset.name, recipe) else str(checkpoint.path)
    path = trained_path(get_recipe(recipe), checkpoint)
    return _ready(unet, recipe, path, source, checkpoint.digest, device, dtype, compiled)


def random_backbone(recipe: str, preset: str, device: torch.device, dtype: torch.dtype, compiled: bool) -> Backbone:
    """A randomly initialised network of a preset's size: speed needs no weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet(architecture_of(get_recipe(recipe), preset))
    return _ready(unet, recipe, get_recipe(recipe).path, "random", "random", device, dtype, compiled)


def _ready(
    unet: UNet,
    recipe: str,
    path: MethodPath,
    source: str,
    digest: str,
    device: torch.device,
    dtype: torch.dtype,
    compiled: bool,
) -> Backbone:
    unet = unet.eval().requires_grad_(False).to(device, dtype, memory_format=torch.channels_last)
    net = torch.compile(unet) if compiled else unet
    return Backbone(unet, net, get_recipe(recipe), path, source, digest, dtype, device)


def trained_path(recipe: Recipe, checkpoint: Checkpoint) -> MethodPath:
    """The recipe's path, with what it has learned. Raises CheckpointError if the file does not hold that."""
    if not recipe.learns_path:
        return recipe.path
    path = deepcopy(recipe.path)
    try:
        path.load_state_dict(checkpoint.path_weights())
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.path} does not hold the learned path of {recipe}: retrain it.") from error
    return path


def architecture_of(recipe: Recipe, preset: str) -> UNetConfig:
    """The preset's U-Net, with the outputs that the recipe trains."""
    return replace(PRESETS[preset], outputs=recipe.outputs)


def pick_device(name: str) -> torch.device:
    """`auto` is the first GPU if there is one, else the CPU. Raises InputError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"The device {name!r} is not available here: use --device cpu, or auto.") from error
    return device
