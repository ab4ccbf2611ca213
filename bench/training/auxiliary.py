"""Auxiliary networks, which no sampler samples from: classifiers for metrics and guidance, autoencoders."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from samplerbench.data.dataset import Dataset
from samplerbench.methods import Plugin, Registry
from samplerbench.models import (
    Autoencoder,
    AutoencoderConfig,
    DigitsCNN,
    Encoder,
    EncoderConfig,
    NoisyClassifier,
    NoisyClassifierConfig,
)
from samplerbench.models.encoder import QUARTERS
from samplerbench.networks.guides import NOISY_CLASSIFIER
from samplerbench.networks.shipped_classifier import shipped_classifier
from samplerbench.training.loop import Loss

BATCH = 256


class Auxiliary(Plugin, ABC):
    """An auxiliary network that can be trained.

    described: what messages call it. only: the data set it is for; empty for any. labels: whether it needs those of the
    data. latent: whether it can be trained on latents.
    """

    described: ClassVar[str] = "a classifier"
    only: ClassVar[str] = ""
    labels: ClassVar[bool] = True
    latent: ClassVar[bool] = False

    @abstractmethod
    def network(self, dataset: Dataset) -> Any:
        """The network, with random weights from torch's global generator.

        Its `loss` takes images and labels. Raises ValueError if there is none for images of this size.
        """

    def loss(self, net: Any, dataset: Dataset, device: torch.device) -> Loss:
        """The training loss of a `network` on the device."""
        return lambda _, *batch: net.loss(*batch)

    def measured(self, net: Any, images: Tensor) -> dict[str, str]:
        """What the checkpoint records of the trained network besides, given the training images in [-1, 1]."""
        return {}


AUXILIARIES: Registry[Auxiliary] = Registry("network", Auxiliary)


def is_auxiliary(spec: str) -> bool:
    """Whether a spec names an auxiliary network, whatever its options."""
    return re.split(r"[\[:]", spec)[0].strip() in AUXILIARIES.names()


@AUXILIARIES.register("digits-cnn")
@dataclass(frozen=True)
class DigitsClassifier(Auxiliary):
    """The classifier whose features measure quality on the digits."""

    only = "digits"

    def network(self, dataset):
        return DigitsCNN()


@AUXILIARIES.register("mnist-cnn")
@dataclass(frozen=True)
class MNISTClassifier(Auxiliary):
    """The classifier whose features measure quality on mnist5k."""

    only = "mnist5k"

    def network(self, dataset):
        config = EncoderConfig(dataset.resolution, dataset.channels, channels=16, classes=dataset.classes, graded=True)
        return Encoder(config)


@AUXILIARIES.register(NOISY_CLASSIFIER)
@dataclass(frozen=True)
class NoiseAwareClassifier(Auxiliary):
    """The classifier for classifier guidance."""

    latent = True

    def network(self, dataset):
        return NoisyClassifier(NoisyClassifierConfig(dataset.resolution, dataset.channels, classes=dataset.classes))


@AUXILIARIES.register("encoder")
@dataclass(frozen=True)
class TrainedEncoder(Auxiliary):
    """The classifier for `fd[encoder=trained:FILE]`; of rotations where there are no labels."""

    labels = False

    def network(self, dataset):
        classes, rotations = dataset.classes or QUARTERS, not dataset.classes
        return Encoder(EncoderConfig(dataset.resolution, dataset.channels, classes=classes, rotations=rotations))


@AUXILIARIES.register("autoencoder")
@dataclass(frozen=True)
class TrainedAutoencoder(Auxiliary):
    """Latents for latent diffusion. kind: of a Gaussian posterior, or quantised."""

    described, labels = "an autoencoder", False

    kind: Literal["kl", "vq"] = field(default="kl", metadata={"printed": True})

    def network(self, dataset):
        return Autoencoder(AutoencoderConfig(self.kind, dataset.resolution, dataset.channels))

    def loss(self, net, dataset, device):
        features = shipped_features(dataset, device)
        return lambda _, images, labels: net.loss(images, labels, features)

    def measured(self, net, images):
        """One over the standard deviation of the latents, by which they are scaled."""
        spread = torch.cat([net.encode(part) for part in images.split(BATCH)]).std().item()
        return {"latent_scale": f"{1 / spread:.4g}"}


def shipped_features(dataset: Dataset, device: torch.device) -> Callable[[Tensor], Tensor] | None:
    """The features (B, 128) of the encoder that is shipped for a data set, frozen; None without one."""
    found = shipped_classifier(dataset)
    return found.net.to(device).features if found and isinstance(found.net, Encoder) else None
