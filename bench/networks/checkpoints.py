"""The one loader of trained networks, for sampling and for teaching: where their files are, and whether they fit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from samplerbench.data.dataset import Dataset
from samplerbench.errors import InputError
from samplerbench.methods import Recipe, get_recipe
from samplerbench.models import PRESETS, Checkpoint, CheckpointError, UNet, UNetConfig, load, shipped
from samplerbench.networks.closed_form import closed_form
from samplerbench.networks.conditioned import with_condition
from samplerbench.networks.conditions.base import CONDITIONS
from samplerbench.networks.devices import layout_for
from samplerbench.networks.loaded import Home, LoadedNetwork, Origin
from samplerbench.networks.named import Named
from samplerbench.networks.training_cost import read_cost

FOLDER = "checkpoints"  # the user's own checkpoints, by default


@dataclass(frozen=True)
class CheckpointKey:
    """What identifies a checkpoint.

    dataset: the name of the data set in paths. name: a recipe's spec or a classifier. weak: the weaker network of a
    recipe. flags: of the data set, for commands, where its name does not suffice.
    """

    dataset: str
    name: str
    weak: bool = False
    flags: str = ""

    @classmethod
    def of(cls, dataset: Dataset, name: str, weak: bool = False) -> "CheckpointKey":
        """The key of a checkpoint that was trained on this data set."""
        return cls(dataset.slug, name, weak, dataset.flags)

    @property
    def stem(self) -> str:
        """The file's name, without its ending."""
        return f"{self.name}-weak" if self.weak else self.name

    def path(self, folder: str | None) -> Path:
        """Where `bench train` writes it and `bench run` looks for it."""
        return Path(folder or FOLDER) / self.dataset / f"{self.stem}.safetensors"

    @property
    def shipped(self) -> Path:
        """Where it is if it came with the package."""
        return shipped(self.dataset, self.stem)

    def find(self, folder: str | None, strict: bool = False) -> Path:
        """The user's own checkpoint in `folder`, else the shipped one. Raises InputError if there is neither.

        strict: the shipped one will not do if a folder was given.
        """
        own = self.path(folder)
        if own.is_file():
            return own
        command = f"bench train {self.name}{' --weak' * self.weak} {self.flags or f'--dataset {self.dataset}'}"
        if strict and folder is not None:
            raise InputError(
                f"--weights {folder!r} has no checkpoint {str(own)!r} ({_found_in(Path(folder))}): `{command} --output "
                f"{folder}` trains one; --model takes any other network (docs/models.md)."
            )
        if self.shipped.exists():
            return self.shipped
        raise InputError(
            f"There is no checkpoint {str(own)!r}, and none of {self.stem} is shipped: `{command}` trains one."
        )

    def load(self, folder: str | None, strict: bool = False) -> tuple[Checkpoint, Origin]:
        """Read the file, found as `find` does. Raises InputError if there is none, CheckpointError if it is damaged."""
        checkpoint = load(self.find(folder, strict))
        source = "shipped" if checkpoint.path == self.shipped else str(checkpoint.path)
        return checkpoint, Origin(source, checkpoint.digest, read_cost(checkpoint), checkpoint.facts)


def _found_in(folder: Path) -> str:
    """What is at a path where checkpoints were expected."""
    if folder.is_dir():
        return f"it holds {', '.join(sorted(file.name for file in folder.iterdir())[:3]) or 'nothing'}"
    return "it is a file" if folder.exists() else "it does not exist"


def load_network(
    recipe: str,
    dataset: Dataset,
    folder: str | None,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    compiled: bool = False,
    weak: bool = False,
    strict: bool = False,
    root: str | None = None,
) -> LoadedNetwork:
    """The network of a recipe: the trained one of its checkpoint, or the closed form of the data set.

    folder: the user's own checkpoints, tried before the shipped ones. weak: the weaker network, for autoguidance.
    strict: the shipped one will not do if a folder was given. root: where the data set is stored, of which conditions
    are made.
    Raises InputError if there is no checkpoint or conditions cannot be made, CheckpointError if it does not fit.
    """
    if dataset.distribution:
        return closed_form(recipe, dataset.distribution, dataset, device)
    known = get_recipe(recipe)
    if "solver" in known.provides:
        if weak:  # the network is the teacher's, and so is the weaker one
            return load_network(str(known.teacher), dataset, folder, device, dtype, compiled, weak=True, strict=strict)
        return _with_solver(known, dataset, folder, strict, device, dtype, compiled)
    checkpoint, origin = CheckpointKey.of(dataset, recipe, weak).load(folder, strict)
    loaded = _trained(trained_unet(checkpoint, recipe, dataset), checkpoint, known, origin, device, dtype, compiled)
    loaded = replace(loaded, home=Home(dataset, folder, root))
    condition = checkpoint.facts.condition
    if known.condition and not condition:
        raise CheckpointError(f"{checkpoint.path} does not record the condition of its network: retrain it.")
    return with_condition(loaded, CONDITIONS.get(condition)) if condition else loaded


def file_network(
    checkpoint: Checkpoint, recipe: Recipe, name: str, device: torch.device, dtype: torch.dtype, compiled: bool
) -> LoadedNetwork:
    """The network of a checkpoint file, whatever it was trained on. Raises CheckpointError if it holds no network.

    name: that of the network in results.
    """
    if "solver" in recipe.provides:
        raise CheckpointError(
            f"{checkpoint.path} holds a solver learned for another network, not a network: name its recipe, {recipe}."
        )
    if checkpoint.facts.latent or checkpoint.facts.condition:
        needed, instead = "the data its conditions are made of", f"--recipe {recipe} --weights DIR"
        if checkpoint.facts.latent:
            needed, instead = "an autoencoder", f"--model latent[weights=DIR]:{recipe}"
        raise CheckpointError(f"{checkpoint.path} needs {needed}: name it by its recipe, as {instead}.")
    origin = Origin(str(checkpoint.path), checkpoint.digest, read_cost(checkpoint), checkpoint.facts)
    loaded = _trained(checkpoint.unet(), checkpoint, recipe, origin, device, dtype, compiled)
    return replace(loaded, name=name, external=Named(recipe, name, loaded.provides), code=(type(recipe),))


def _trained(
    unet: UNet,
    checkpoint: Checkpoint,
    recipe: Recipe,
    origin: Origin,
    device: torch.device,
    dtype: torch.dtype,
    compiled: bool,
) -> LoadedNetwork:
    """The network of a checkpoint, on its learned path if there is one."""
    loaded = _ready(unet, recipe, origin, device, dtype, compiled)
    if "path" in recipe.modules():
        return replace(loaded, path=_learned(recipe, checkpoint, "path", checkpoint.path_weights()))
    return loaded


def trained_unet(checkpoint: Checkpoint, recipe: str, dataset: Dataset) -> UNet:
    """The U-Net of a checkpoint. Raises CheckpointError if it was trained for another recipe or other images."""
    unet = checkpoint.unet()
    config, found = unet.config, checkpoint.facts.recipe
    if checkpoint.facts.latent != dataset.latent:
        raise CheckpointError(
            f"{checkpoint.path} was trained on {_space(checkpoint.facts.latent)}, not on {_space(dataset.latent)}: "
            "restore the right file or retrain it."
        )
    if (found, config.resolution, config.image_channels) != (recipe, dataset.resolution, dataset.channels):
        size = f"{config.image_channels}x{config.resolution}x{config.resolution}"
        raise CheckpointError(
            f"{checkpoint.path} was trained for {found or 'an unknown recipe'} on {size} images, not for {recipe} on "
            f"{dataset}: restore the right file or retrain it."
        )
    return unet


def _space(latent: str) -> str:
    """Where a network was trained, in messages."""
    return f"the latents of {latent}" if latent else "images"


def random_network(
    recipe: str, preset: str, device: torch.device, dtype: torch.dtype, compiled: bool = False
) -> LoadedNetwork:
    """A randomly initialised network of a preset's size: timing needs no weights."""
    known = get_recipe(recipe)
    if known.condition:
        raise InputError(f"{recipe} needs conditions made from data, and --preset has none: leave it out.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet(architecture_of(known, PRESETS[preset]))
    loaded = _ready(unet, known, Origin("random", "random"), device, dtype, compiled)
    return replace(loaded, modules={name: each for name, each in known.modules().items() if name == "solver"})


def architecture_of(recipe: Recipe, config: UNetConfig) -> UNetConfig:
    """The U-Net with the recipe's own options."""
    options: dict[str, Any] = dict(recipe.network)
    return replace(config, **options)


def _ready(
    unet: UNet, recipe: Recipe, origin: Origin, device: torch.device, dtype: torch.dtype, compiled: bool
) -> LoadedNetwork:
    unet = unet.eval().requires_grad_(False).to(device, dtype).to(memory_format=layout_for(device, dtype))
    config = unet.config
    provides = recipe.provides | ({"labels", "unlabelled"} if config.classes else set())
    if origin.cost.teacher:  # distilled, whatever recipe reads it
        provides -= {"ode"}
    shape = (config.image_channels, config.resolution, config.resolution)
    net: Any = torch.compile(unet) if compiled else unet
    return LoadedNetwork(
        str(recipe), net, unet, recipe.path, recipe.target, shape, config.classes, provides, origin, dtype, device
    )


def _with_solver(
    recipe: Recipe,
    dataset: Dataset,
    folder: str | None,
    strict: bool,
    device: torch.device,
    dtype: torch.dtype,
    compiled: bool,
) -> LoadedNetwork:
    """The network of the recipe's teacher, shipped or the user's own, with the solver learned for it."""
    teacher = load_network(str(recipe.teacher), dataset, folder, device, dtype, compiled)
    checkpoint, origin = CheckpointKey.of(dataset, str(recipe)).load(folder, strict)
    if checkpoint.facts.teacher_digest != teacher.origin.digest:
        raise CheckpointError(
            f"{checkpoint.path} was trained for another checkpoint of {recipe.teacher} than {teacher.origin}: retrain "
            f"it with `bench train {recipe} {dataset.flags}`, or leave {recipe} out."
        )
    return replace(
        teacher,
        name=str(recipe),
        provides=recipe.provides | (teacher.provides & {"labels", "unlabelled"}),
        modules={"solver": _learned(recipe, checkpoint, "solver", checkpoint.weights)},
        origin=replace(origin, digest=f"{teacher.origin.digest}+{origin.digest}"),
    )


def _learned(recipe: Recipe, checkpoint: Checkpoint, name: str, weights: Mapping[str, Tensor]) -> Any:
    """The recipe's module of that name with the weights of a checkpoint. Raises CheckpointError if they do not fit."""
    module = recipe.modules()[name].requires_grad_(False)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.path} does not hold the learned {name} of {recipe}: retrain it.") from error
    return module
