"""Networks by a spec, as `--model` takes them: a kind of loader is one file in `networks.models`, or a plug-in."""

import os
import re
from abc import ABC, abstractmethod
from dataclasses import replace

import torch

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS, Plugin, Registry, SpecError, get_recipe, import_files, load_entry_points
from samplerbench.models import CheckpointError
from samplerbench.networks.external import ExternalNetwork, load_external
from samplerbench.networks.loaded import LoadedNetwork

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
KINDS = "a recipe, FILE.safetensors, diffusers:DIR or package.module:function"


class Model(Plugin, ABC):
    """A network that a spec names. See `ExternalModel` for those that samplerbench did not train."""

    @property
    def code(self) -> tuple[type | str, ...]:
        """The modules and classes that load it: with those they import of their project, they determine its cells."""
        return (type(self),)

    @abstractmethod
    def load(self, device: torch.device, dtype: torch.dtype, compiled: bool) -> LoadedNetwork:
        """The network. Raises InputError or CheckpointError, in one sentence, for anything that cannot be loaded."""


class ExternalModel(Model, ABC):
    """A network that a record describes."""

    @abstractmethod
    def record(self) -> ExternalNetwork:
        """The network, on the CPU, and its conventions. Raises InputError for one that cannot be read."""

    def load(self, device, dtype, compiled):
        loaded = load_external(self.record(), str(self), device, dtype, compiled)
        return replace(loaded, code=self.code)


def _load_models() -> None:
    import_files("samplerbench.networks.models")
    load_entry_points()


MODELS: Registry[Model] = Registry("model", Model, _load_models)


def get_model(spec: str) -> Model | None:
    """The model of a spec; None for that of a recipe. Raises SpecError for any other text."""
    text = spec.strip()
    prefix = re.split(r"[\[:]", text, maxsplit=1)[0].strip()
    if prefix in MODELS.names():
        return MODELS.get(text)
    if text.endswith(".safetensors"):
        return MODELS.get(f"safetensors:{text}")
    if FUNCTION.fullmatch(text):
        return MODELS.get(f"python:{text}")
    _check_recipe(text)
    return None


def _check_recipe(text: str) -> None:
    """Raises SpecError, with advice, if the text names no recipe."""
    try:
        get_recipe(text)
    except SpecError as error:
        if os.path.isdir(text):
            raise SpecError(f"{text!r} is a folder: write diffusers:{text} if diffusers saved it.") from error
        if os.path.isfile(text):
            raise SpecError(
                f"{text!r} cannot be loaded as it is: `bench import` converts checkpoints of EDM, guided-diffusion and "
                "torchcfm, and a function of yours can load any, as package.module:function (docs/models.md)."
            ) from error
        raise SpecError(f"No model is called {text[:100]!r}: --model takes {KINDS}. {error}") from error


def load_model(model: Model, device: torch.device, dtype: torch.dtype, compiled: bool = False) -> LoadedNetwork:
    """The network of a model. Whatever its loader raises becomes an InputError."""
    try:
        return model.load(device, dtype, compiled)
    except (InputError, SpecError, CheckpointError):
        raise
    except FAULTS as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"The model {model} cannot be loaded: {type(error).__name__}: {reason}") from error
