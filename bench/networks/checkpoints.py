"""The network under test: where its weights come from, in what precision it runs, how often it was called."""

from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from samplerbench.data.datasets import Dataset, to_uint8
from samplerbench.data.distributions import Distribution
from samplerbench.errors import InputError
from samplerbench.methods import Aides, Field, Guidance, Recipe, get_recipe
from samplerbench.methods import Path as MethodPath
from samplerbench.models import PRESETS, Checkpoint, CheckpointError, NoisyClassifier, UNet, UNetConfig, load, shipped
from samplerbench.networks.closed_form import ClosedForm, closed_form
from samplerbench.networks.training_cost import UNKNOWN, Cost, read_cost
from samplerbench.sampling.noise import ImageNoise, image_labels
from samplerbench.sampling.timing import Stopwatch

FOLDER = "checkpoints"  # the user's own checkpoints, unless told otherwise
NOISY_CLASSIFIER = "noisy-classifier"  # the checkpoint that classifier guidance asks


def weak_name(recipe: str) -> str:
    """The checkpoint that autoguidance moves away from."""
    return f"{recipe}-weak"


class Network:
    """What a Field calls: a U-Net in its own precision, whose evaluations are counted and timed, not declared."""

    def __init__(self, net: nn.Module, dtype: torch.dtype, device: torch.device):
        self.net, self.dtype = net, dtype
        self.evaluations = 0  # of single images
        self.stopwatch = Stopwatch(device)  # a lap for each call

    def __call__(self, x: Tensor, t: Tensor, *rest: Tensor | None) -> Tensor:
        return self.evaluate(self.net, x, t, *rest)

    def evaluate(self, net: nn.Module, x: Tensor, t: Tensor, *rest: Tensor | None) -> Tensor:
        """Call a network, this one or the weaker one that guides it: either is an evaluation."""
        self.evaluations += len(x)
        cast = x.to(self.dtype)
        with self.stopwatch.lap():
            predicted = net(cast, t, *rest)
        return predicted.to(x.dtype)


@dataclass(frozen=True)
class NoisyJudge:
    """The classifier that classifier guidance asks, always in float32; source and digest as a Backbone's."""

    net: NoisyClassifier
    source: str
    digest: str


@dataclass(frozen=True)
class Backbone:
    """A trained (or, for timing, random) U-Net ready to run, with the recipe that says how to read it.

    path: the recipe's, or what the checkpoint made of it.
    source: "shipped", "random", "exact", or the path of the user's own checkpoint.
    digest: of the checkpoint file, or "random", or the name of an exact data set.
    distribution: what an exact data set knows of itself.
    judge, weak: what guidance may need, where it was asked for.
    cost: of its training; nothing is known of it for a network without a checkpoint.
    solver: what was learnt for the sampler, where the recipe is of that kind.
    teacher: for a student, the ordinary network at the head of its teachers, where it was asked for.
    """

    unet: UNet | ClosedForm
    net: nn.Module  # the U-Net, compiled or not
    recipe: Recipe
    path: MethodPath
    source: str
    digest: str
    dtype: torch.dtype
    device: torch.device
    distribution: Distribution | None = None
    judge: NoisyJudge | None = None
    weak: "Backbone | None" = None
    cost: Cost = UNKNOWN
    teacher: "Backbone | None" = None
    solver: nn.Module | None = None

    @property
    def compiled(self) -> bool:
        """Whether the network runs through torch.compile."""
        return self.net is not self.unet

    @property
    def student(self) -> bool:
        """Whether the network was distilled, or may jump as a distilled one does."""
        return bool(self.cost.teacher) or self.recipe.student

    @property
    def labelled(self) -> bool:
        """Whether images are asked for by class."""
        return bool(self.unet.config.classes)

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
        return self.distribution.flow(x.double().cpu().flatten(1), self.path, start, end).view(x.shape).to(x)

    def field(self, label: Tensor | None) -> Field:
        """A Field with a fresh counter, for images with these labels (B,)."""
        network = Network(self.net, self.dtype, self.device)
        return Field(network, self.path, self.recipe.target, label, self.unet.config.interval, self.solver)

    def aides(self, field: Field) -> Aides:
        """What guidance may need beside this field; the evaluations of the weaker network count as the field's own."""
        weak = self.weak and replace(field, net=partial(field.net.evaluate, self.weak.net), path=self.weak.path)
        return Aides(self.judge and self.judge.net, weak)

    def aide_digest(self, guidance: Guidance) -> str:
        """The hash of the checkpoint that a guidance needs beside this one; empty if it needs none."""
        digests = {"classifier": self.judge and self.judge.digest, "weak": self.weak and self.weak.digest}
        return digests.get(guidance.needs) or ""

    @property
    def origins(self) -> dict[str, str]:
        """Source and digest of every checkpoint in use, by name."""
        recipe = str(self.recipe)
        found = {recipe: f"{self.source} {self.digest}"}
        if self.weak:
            found[weak_name(recipe)] = f"{self.weak.source} {self.weak.digest}"
        if self.teacher:
            found |= self.teacher.origins
        return found | ({NOISY_CLASSIFIER: f"{self.judge.source} {self.judge.digest}"} if self.judge else {})

    def labels(self, block: int, indices: range) -> Tensor | None:
        """The labels (B,) of these images; None for a network without classes."""
        classes = self.unet.config.classes
        return image_labels(block, indices, classes).to(self.device) if self.labelled else None


def find_checkpoint(folder: str | None, dataset: str, recipe: str) -> Path:
    """The checkpoint of a recipe: the user's own in `folder` before the shipped one. Raises InputError if none is."""
    for path in (checkpoint_path(folder, dataset, recipe), shipped(dataset, recipe)):
        if path.exists():
            return path
    raise InputError(
        f"There is no checkpoint of {recipe} for {dataset} in {folder or FOLDER!r}: "
        f"train it with `bench train {_training(recipe)} --dataset {dataset}`."
    )


def _training(name: str) -> str:
    """The words of `bench train` that make a checkpoint."""
    recipe = name.removesuffix(weak_name(""))
    return recipe if recipe == name else f"{recipe} --weak"


def checkpoint_path(folder: str | None, dataset: str, recipe: str) -> Path:
    """Where `bench train` writes and `bench run` looks."""
    return Path(folder or FOLDER) / dataset / f"{recipe}.safetensors"


def load_backbone(
    recipe: str,
    dataset: Dataset,
    folder: str | None,
    device: torch.device,
    dtype: torch.dtype,
    compiled: bool,
    name: str | None = None,
) -> Backbone:
    """The trained network of a recipe, from the checkpoint of its name or of another one; or an exact data set's form.

    Raises InputError or CheckpointError if there is none that fits.
    """
    if dataset.distribution:
        net = closed_form(recipe, dataset).to(device)
        known, path = dataset.distribution, net.recipe.path
        return Backbone(net, net, net.recipe, path, "exact", dataset.name, torch.float64, device, known)
    if get_recipe(recipe).solver:
        return _with_solver(get_recipe(recipe), dataset, folder, device, dtype, compiled)
    name = name or recipe
    checkpoint = load(find_checkpoint(folder, dataset.name, name))
    unet = trained_unet(checkpoint, recipe, dataset)
    source = "shipped" if checkpoint.path == shipped(dataset.name, name) else str(checkpoint.path)
    path = trained_path(get_recipe(recipe), checkpoint)
    ready = _ready(unet, recipe, path, source, checkpoint.digest, device, dtype, compiled)
    return replace(ready, cost=read_cost(checkpoint))


def trained_unet(checkpoint: Checkpoint, recipe: str, dataset: Dataset) -> UNet:
    """The network of a checkpoint. Raises CheckpointError if it was trained for another recipe or other images."""
    unet = checkpoint.unet()
    trained = (checkpoint.metadata.get("recipe"), unet.config.resolution, unet.config.image_channels)
    if trained != (recipe, dataset.resolution, dataset.channels):
        raise CheckpointError(
            f"{checkpoint.path} was trained for {trained[0]} on {trained[2]}x{trained[1]}x{trained[1]} images, not for "
            f"{recipe} on {dataset.name}: restore the right file or retrain it."
        )
    return unet


def _with_solver(
    recipe: Recipe, dataset: Dataset, folder: str | None, device: torch.device, dtype: torch.dtype, compiled: bool
) -> Backbone:
    """The network of the recipe's teacher, with what has been learnt of how to sample it."""
    teacher = load_backbone(recipe.teacher, dataset, folder, device, dtype, compiled)
    name = str(recipe)
    checkpoint, solver = load(find_checkpoint(folder, dataset.name, name)), deepcopy(recipe.solver)
    if checkpoint.metadata.get("teacher_digest") != teacher.digest:
        raise CheckpointError(
            f"{checkpoint.path} was learnt for another checkpoint of {recipe.teacher} than {teacher.source} "
            f"{teacher.digest}: retrain it with `bench train {name} --dataset {dataset.name}`, or leave {name} out."
        )
    try:
        solver.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.path} does not hold a solver of {name}: retrain it.") from error
    source = "shipped" if checkpoint.path == shipped(dataset.name, name) else str(checkpoint.path)
    learnt = {"source": source, "digest": f"{teacher.digest}+{checkpoint.digest}", "cost": read_cost(checkpoint)}
    return replace(teacher, recipe=recipe, solver=solver, **learnt)


def random_backbone(recipe: str, preset: str, device: torch.device, dtype: torch.dtype, compiled: bool) -> Backbone:
    """A randomly initialised network of a preset's size: speed needs no weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet(architecture_of(get_recipe(recipe), preset))
    ready = _ready(unet, recipe, get_recipe(recipe).path, "random", "random", device, dtype, compiled)
    return replace(ready, solver=get_recipe(recipe).solver)


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
    """The preset's U-Net, with the outputs that the recipe trains and whatever else it has of its own."""
    return replace(PRESETS[preset], outputs=recipe.outputs, **recipe.network)


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
