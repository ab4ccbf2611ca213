"""Checkpoints: safetensors files with the architecture and the training in their metadata. Nothing is unpickled."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from samplerbench.models.noisy_classifier import NoisyClassifier, NoisyClassifierConfig
from samplerbench.models.unet import UNet, UNetConfig

SCALE = ".scale"  # what the names of the scales of an 8-bit weight's rows end with
Storage = Literal["float32", "float16", "int8"]
PATH = "path."  # what the names of a learned path's tensors begin with
N = TypeVar("N", bound=nn.Module)


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message is one sentence that names the file and the reason."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    weights: tensors by name, float32.
    metadata: strings by name; `architecture` and the training's facts (recipe, seed, iterations, data hash, date ...).
    digest: the first 12 hexadecimal digits of the file's SHA-256.
    """

    path: Path
    weights: dict[str, Tensor]
    metadata: dict[str, str]
    digest: str

    def unet(self) -> UNet:
        """The U-Net of this file, in evaluation mode. Raises CheckpointError if the file holds another architecture."""
        return self._build(UNet, UNetConfig, "a samplerbench U-Net")

    def noisy_classifier(self) -> NoisyClassifier:
        """The same for a noise-aware classifier."""
        return self._build(NoisyClassifier, NoisyClassifierConfig, "a noise-aware classifier")

    def _build(self, network: type[N], config: type, what: str) -> N:
        try:
            options = json.loads(self.metadata["architecture"])
            lists = {key: tuple(value) for key, value in options.items() if isinstance(value, list)}
            net = network(config(**(options | lists)))
            net.load_state_dict({key: value for key, value in self.weights.items() if not key.startswith(PATH)})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(f"{self.path} does not hold the weights of {what}: {reason}") from error
        return net.eval()

    def path_weights(self) -> dict[str, Tensor]:
        """The tensors of the learned path, if there is one, under their own names."""
        return {key.removeprefix(PATH): value for key, value in self.weights.items() if key.startswith(PATH)}


def save(
    path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, object], storage: Storage = "float32"
) -> None:
    """Write a checkpoint atomically. Metadata values are written as strings.

    storage: float16 takes half the size; int8 a quarter, with a scale for each row of a weight (an output channel),
    while weights without rows (biases, norms) stay in float16.
    """
    tensors = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    tensors = {name: part for key, value in tensors.items() for name, part in _stored(key, value, storage)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={key: str(value) for key, value in metadata.items()})
    os.replace(partial, path)


def _stored(key: str, value: Tensor, storage: Storage) -> list[tuple[str, Tensor]]:
    """The tensors, by name, that a weight is written as."""
    if storage == "float32" or not value.is_floating_point():
        return [(key, value)]
    if storage == "float16" or value.ndim < 2:
        return [(key, value.half())]
    scale = value.flatten(1).abs().amax(1).clamp(min=1e-12) / 127
    return [(key, (value / _column(scale, value)).round().to(torch.int8)), (key + SCALE, scale)]


def _column(scale: Tensor, value: Tensor) -> Tensor:
    """A number for each row, to be multiplied with a weight."""
    return scale.view(-1, *[1] * (value.ndim - 1))


def _weights(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """What `_stored` was given, in float32 and to its precision."""
    weights = {key: _float32(value) for key, value in stored.items() if not key.endswith(SCALE)}
    for key, scale in ((key.removesuffix(SCALE), value) for key, value in stored.items() if key.endswith(SCALE)):
        weights[key] = weights[key].float() * _column(scale, weights[key])
    return weights


def architecture(config: UNetConfig | NoisyClassifierConfig) -> str:
    """The metadata entry that `Checkpoint.unet` builds the network from."""
    return json.dumps(asdict(config))


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises CheckpointError if the file is missing, truncated or not safetensors."""
    path = Path(path)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = _weights({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    except OSError as error:
        raise CheckpointError(f"Cannot read the checkpoint {path}: {error.strerror or error}.") from error
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file ({error}); restore or retrain it."
        ) from error
    return Checkpoint(path, weights, metadata, digest)


def _float32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float32) if tensor.is_floating_point() else tensor


def shipped(dataset: str, name: str) -> Path:
    """Where the weights that come with the package lie, whether or not they exist."""
    return Path(str(files("samplerbench.models") / "weights" / dataset / f"{name}.safetensors"))
