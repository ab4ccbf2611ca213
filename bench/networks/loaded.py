"""A loaded network, as data. Noise, labels, counting and guidance belong to sampling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from samplerbench.data.dataset import Dataset
from samplerbench.data.distributions import Distribution
from samplerbench.methods import Field, Guidance, Parametrisation, Path, Target, get_recipe
from samplerbench.models import CheckpointFacts
from samplerbench.networks.conditions.base import Conditions
from samplerbench.networks.training_cost import UNKNOWN, TrainingCost


@dataclass(frozen=True)
class Origin:
    """Where weights come from.

    source: "shipped", "random", "exact", or the path of the user's own checkpoint.
    digest: of the checkpoint file, or "random", or the name of a data set with a closed form.
    cost: of the training; unknown for a network without a checkpoint.
    facts: what the checkpoint records.
    """

    source: str
    digest: str
    cost: TrainingCost = UNKNOWN
    facts: CheckpointFacts = field(default_factory=CheckpointFacts)

    def __str__(self) -> str:
        return f"{self.source} {self.digest}"


@dataclass(frozen=True, eq=False)
class Home:
    """What a network was trained on, a data set or its latents, and the folder of the user's checkpoints, if any."""

    space: Dataset
    folder: str | None


@dataclass(frozen=True, eq=False)
class GuideClassifier:
    """The classifier of noisy images for classifier guidance, always in float32. name: of its checkpoint."""

    name: str
    net: nn.Module
    origin: Origin


@dataclass(frozen=True, eq=False)
class LoadedNetwork:
    """A network ready to run.

    name: the recipe it was trained with, or the spec of a model.
    net: called as net(x, t), net(x, t, label) or net(x, t, label, s); compiled if that was requested. eager: not.
    path, target: the noise path and what the network predicts.
    image_shape: (C, H, W). classes: the number of labels; 0 for none.
    balanced: whether image i gets label i modulo `classes`, instead of one of its own.
    provides: its capabilities, from `samplerbench.methods.CAPABILITIES`.
    modules: what was trained besides the network and is needed for sampling, by name.
    distribution: the closed form of the data, for a network that is computed instead of trained.
    guides: the networks that guidances need beside it, by the name in `Guidance.needs`.
    teacher: for a student, the undistilled network at the root of its teachers, if it was loaded.
    external: what samplers must know of a network that no recipe's name stands for.
    code: the modules and classes of its loader, a change of which means another network.
    decode: maps the last state to images in [-1, 1]; None for a network of images. encode: the other way, if known.
    home: where its teacher and its guides are, if it is a checkpoint of a recipe.
    conditions: the table of conditions, of which its labels are the numbers. condition: what made it, as a spec.
    """

    name: str
    net: nn.Module
    eager: nn.Module
    path: Path
    target: Target
    image_shape: tuple[int, int, int]
    classes: int
    provides: frozenset[str]
    origin: Origin
    dtype: torch.dtype
    device: torch.device
    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    distribution: Distribution | None = None
    guides: Mapping[str, "LoadedNetwork | GuideClassifier"] = field(default_factory=dict)
    teacher: "LoadedNetwork | None" = None
    balanced: bool = False
    external: Parametrisation | None = None
    code: tuple[type | str, ...] = ()
    decode: Callable[[Tensor], Tensor] | None = None
    encode: Callable[[Tensor], Tensor] | None = None
    home: Home | None = None
    conditions: Conditions | None = None
    condition: str = ""

    @property
    def parametrisation(self) -> Parametrisation:
        """What samplers must know of it."""
        return self.external or get_recipe(self.name)

    @cached_property
    def picture_shape(self) -> tuple[int, ...]:
        """(C, H, W) of its images."""
        if self.decode is None:
            return self.image_shape
        with torch.inference_mode():
            return tuple(self.images(torch.zeros(1, *self.image_shape, device=self.device)).shape[1:])

    def images(self, states: Tensor) -> Tensor:
        """The images (B, C, H, W) of last states (B, C, H, W)."""
        return self.decode(states.float()) if self.decode else states

    @property
    def compiled(self) -> bool:
        """Whether the network runs through torch.compile."""
        return self.net is not self.eager

    @property
    def distilled(self) -> bool:
        """Whether it takes finite steps, so that its own probability-flow ODE is undefined."""
        return "ode" not in self.provides

    @property
    def exact(self) -> bool:
        """Whether its predictions are computed in closed form."""
        return self.distribution is not None

    def field(self, call: Callable[..., Tensor], label: Tensor | None = None) -> Field:
        """The network as a Field that evaluates it through `call`, for images with these labels (B,)."""
        return Field(call, self.path, self.target, label, "intervals" in self.provides, self.modules)

    def guide_digest(self, guidance: Guidance) -> str:
        """The digest of the checkpoint that a guidance needs beside this one; empty if it needs none."""
        return self.guides[guidance.needs].origin.digest if guidance.needs in self.guides else ""

    @property
    def sources(self) -> dict[str, str]:
        """Source and digest of every checkpoint in use, by name."""
        found = {self.name: str(self.origin)}
        for guide in self.guides.values():
            found[guide.name if isinstance(guide, GuideClassifier) else f"{guide.name}-weak"] = str(guide.origin)
        return found | (self.teacher.sources if self.teacher else {})
