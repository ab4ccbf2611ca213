"""The network under test: where its weights come from, in what precision it runs, how often it was called."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.data import Dataset, to_uint8
from bench.distributions import Distribution
from bench.errors import InputError
from bench.exact import ClosedForm, closed_form
from bench.noise import ImageNoise, image_labels
from bench.timing import Stopwatch
from methods import Field, Recipe, get_recipe
from models import PRESETS, CheckpointError, UNet, load, shipped

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

    source: "shipped", "random", "exact", or the path of the user's own checkpoint.
    digest: of the checkpoint file, or "random", or the name of an exact data set.
    distribution: what an exact data set knows of itself.
    """

    unet: UNet | ClosedForm
    net: nn.Module  # the U-Net, compiled or not
    recipe: Recipe
    source: str
    digest: str
    dtype: torch.dtype
    device: torch.device
    distribution: Distribution | None = None

    @property
    def compiled(self) -> bool:
        """Whether the network runs through torch.compile."""
        return self.net is not self.unet

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        config = self.unet.config
        return config.image_channels, config.resolution, config.resolution

    def noise(self, noise: ImageNoise) -> Tensor:
        """The normal numbers (B, C, H, W) that images start from: in float32, or better if the network is."""
        dtype = torch.promote_types(self.dtype, torch.float32)
        return noise(torch.empty(len(noise.indices), *self.image_shape, dtype=dtype, device=self.device))

    def finished(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) as they are scored: uint8, but floats as they are on an exact data set."""
        return images if self.distribution else to_uint8(images)

    def exact_flow(self, x: Tensor, start: float = 1.0, end: float = 0.0) -> Tensor:
        """Where the exact flow takes states x (B, C, H, W). Raises ValueError where there is none but the network."""
        if self.distribution is None:
            raise ValueError(f"{self.source} {self.digest} is a trained network: its exact flow is not known.")
        return self.distribution.flow(x.double().flatten(1), self.recipe.path, start, end).view_as(x)

    def field(self, label: Tensor | None) -> Field:
        """A Field with a fresh counter, for images with these labels (B,)."""
        return Field(Network(self.net, self.dtype, self.device), self.recipe.path, self.recipe.target, label)

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
    """The trained network of a recipe, or the closed form that an exact data set has.

    Raises InputError or CheckpointError if there is none that fits.
    """
    if dataset.distribution:
        net = closed_form(recipe, dataset).to(device)
        return Backbone(net, net, net.recipe, "exact", dataset.name, torch.float64, device, dataset.distribution)
    checkpoint = load(find_checkpoint(folder, dataset.name, recipe))
    unet = checkpoint.unet()
    trained = (checkpoint.metadata.get("recipe"), unet.config.resolution, unet.config.image_channels)
    if trained != (recipe, dataset.resolution, dataset.channels):
        raise CheckpointError(
            f"{checkpoint.path} was trained for {trained[0]} on {trained[2]}x{trained[1]}x{trained[1]} images, not for "
            f"{recipe} on {dataset.name}: restore the right file or retrain it."
        )
    source = "shipped" if checkpoint.path == shipped(dataset.name, recipe) else str(checkpoint.path)
    return _ready(unet, recipe, source, checkpoint.digest, device, dtype, compiled)


def random_backbone(recipe: str, preset: str, device: torch.device, dtype: torch.dtype, compiled: bool) -> Backbone:
    """A randomly initialised network of a preset's size: speed needs no weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet(PRESETS[preset])
    return _ready(unet, recipe, "random", "random", device, dtype, compiled)


def _ready(
    unet: UNet, recipe: str, source: str, digest: str, device: torch.device, dtype: torch.dtype, compiled: bool
) -> Backbone:
    unet = unet.eval().requires_grad_(False).to(device, dtype, memory_format=torch.channels_last)
    net = torch.compile(unet) if compiled else unet
    return Backbone(unet, net, get_recipe(recipe), source, digest, dtype, device)


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
