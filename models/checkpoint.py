"""Checkpoints: safetensors files with the architecture and the training in their metadata. Nothing is unpickled."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from samplerbench.models.autoencoder import Autoencoder
from samplerbench.models.digits_cnn import DigitsCNN
from samplerbench.models.encoder import Encoder
from samplerbench.models.facts import CheckpointFacts
from samplerbench.models.kinds import KINDS, build
from samplerbench.models.noisy_classifier import NoisyClassifier
from samplerbench.models.unet import UNet

PYTORCH = (b"PK", b"\x80\x02")  # how the files of torch.save begin: a zip archive, or a pickle of old versions
SCALE = ".scale"  # suffix of the scales that belong to an 8-bit weight
PATH = "path."  # prefix of the tensors of a learned noise path
Storage = Literal["float32", "float16", "int8"]


class CheckpointError(ValueError):
    """An unusable checkpoint; the message is one sentence that names the file and the reason."""


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a file.

    weights: tensors by name, in float32.
    metadata: strings by name; see `CheckpointFacts`.
    digest: the first 12 hexadecimal digits of the file's SHA-256.
    """

    path: Path
    weights: dict[str, Tensor]
    metadata: dict[str, str]
    digest: str

    @property
    def facts(self) -> CheckpointFacts:
        """What the metadata records of the network and its training."""
        return CheckpointFacts.read(self.metadata)

    def network(self) -> nn.Module:
        """The network of this file, in evaluation mode. Raises CheckpointError if it is damaged or there is none."""
        if self.facts.kind not in KINDS:
            raise CheckpointError(f"{self.path} holds {_described(self.facts.kind)}: restore the right file.")
        return self._of_kind(self.facts.kind)

    def unet(self) -> UNet:
        """`network` for a file of a U-Net. Raises CheckpointError if it holds another network."""
        return cast(UNet, self._of_kind("unet"))

    def noisy_classifier(self) -> NoisyClassifier:
        """`network` for a file of a noise-aware classifier. Raises CheckpointError if it holds another network."""
        return cast(NoisyClassifier, self._of_kind("noisy-classifier"))

    def digits_cnn(self) -> DigitsCNN:
        """`network` for a file of the digits' classifier. Raises CheckpointError if it holds another network."""
        return cast(DigitsCNN, self._of_kind("digits-cnn"))

    def encoder(self) -> Encoder:
        """`network` for a file of an encoder. Raises CheckpointError if it holds another network."""
        return cast(Encoder, self._of_kind("encoder"))

    def autoencoder(self) -> Autoencoder:
        """`network` for a file of an autoencoder. Raises CheckpointError if it holds another network."""
        return cast(Autoencoder, self._of_kind("autoencoder"))

    def _of_kind(self, kind: str) -> nn.Module:
        try:
            if self.facts.kind not in ("", kind):
                raise ValueError(f"it holds {_described(self.facts.kind)}")
            weights = {key: value for key, value in self.weights.items() if not key.startswith(PATH)}
            return build(KINDS[kind], self.facts.architecture, weights)
        except ValueError as error:
            raise CheckpointError(
                f"{self.path} does not hold the weights of {KINDS[kind].described}: {error}."
            ) from error

    def path_weights(self) -> dict[str, Tensor]:
        """The tensors of the learned noise path, if there is one, by their names in the path."""
        return {key.removeprefix(PATH): value for key, value in self.weights.items() if key.startswith(PATH)}


def _described(kind: str) -> str:
    """A kind of network in messages."""
    if not kind:
        return "no network"
    return KINDS[kind].described if kind in KINDS else f"a network of the unknown kind {kind!r}"


def save(
    path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, object], storage: Storage = "float32"
) -> None:
    """Write a checkpoint atomically. Metadata values are written as strings.

    storage: float16 takes half the size of float32; int8 a quarter, with a scale for each row of a weight (an output
        channel), while tensors of one dimension (biases, norms) stay in float16.
    """
    tensors = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    tensors = {name: part for key, value in tensors.items() for name, part in _stored(key, value, storage)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={key: str(value) for key, value in metadata.items()})
    os.replace(partial, path)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises CheckpointError if the file is missing, truncated or not safetensors."""
    path = Path(path)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = _restored({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    except OSError as error:
        raise CheckpointError(f"Cannot read the checkpoint {path}: {error.strerror or error}.") from error
    except SafetensorError as error:
        if path.read_bytes()[:2] in PYTORCH:
            raise CheckpointError(
                f"{path} is a PyTorch file, which is not read: checkpoints are the safetensors files of `bench train`; "
                "a function of your own reads other files, as --model package.module:function (docs/models.md)."
            ) from error
        raise CheckpointError(
            f"{path} is damaged or not a safetensors file ({error}); restore or retrain it."
        ) from error
    return Checkpoint(path, weights, metadata, digest)


def shipped(dataset: str, name: str) -> Path:
    """Where weights are that come with the package, whether or not they exist."""
    return Path(str(files("samplerbench.models") / "weights" / dataset / f"{name}.safetensors"))


def _stored(key: str, value: Tensor, storage: Storage) -> list[tuple[str, Tensor]]:
    """The tensors, by name, as which a weight is written."""
    if storage == "float32" or not value.is_floating_point():
        return [(key, value)]
    if storage == "float16" or value.ndim < 2:
        return [(key, value.half())]
    scale = value.flatten(1).abs().amax(1).clamp(min=1e-12) / 127
    return [(key, (value / _per_row(scale, value)).round().to(torch.int8)), (key + SCALE, scale)]


def _restored(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that `_stored` was given, in float32."""
    scales = {key + SCALE for key, value in stored.items() if value.dtype == torch.int8} & stored.keys()
    weights = {key: _float32(value) for key, value in stored.items() if key not in scales}
    for key in (scale.removesuffix(SCALE) for scale in scales):
        weights[key] = weights[key].float() * _per_row(stored[key + SCALE], weights[key])
    return weights


def _per_row(scale: Tensor, value: Tensor) -> Tensor:
    """One scale for each row of a weight, broadcast over the row."""
    return scale.view(-1, *[1] * (value.ndim - 1))


def _float32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float32) if tensor.is_floating_point() else tensor
