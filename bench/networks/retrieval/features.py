"""The features by which images are retrieved, and which networks attend to."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from samplerbench.data.cache import kept
from samplerbench.data.dataset import Dataset, digest, to_float
from samplerbench.data.small_copies import small_copies
from samplerbench.networks.shipped_classifier import shipped_classifier

BATCH = 512


@dataclass(frozen=True, eq=False)
class Encoder:
    """A fixed encoder of images.

    name, digest: of the encoder and its weights. width: of the features. net: images (B, C, H, W) in [-1, 1] ->
    (B, width).
    """

    name: str
    digest: str
    width: int
    net: Callable[[Tensor], Tensor]

    def encode(self, images: Tensor) -> Tensor:
        """The features (N, width) of uint8 images (N, C, H, W), each of a length of sqrt(width), in float32.

        Their entries have a mean square of 1. They are kept on this machine.
        """
        parts = "retrieval", digest(images), tuple(images.shape), self.name, self.digest
        return kept(parts, lambda: self._encode(images)).float()

    @torch.no_grad()  # not in inference mode: networks are trained on them
    def _encode(self, images: Tensor) -> Tensor:
        features = torch.cat([self.net(to_float(batch)).double() for batch in images.split(BATCH)])
        return self.width**0.5 * F.normalize(features)


def encoder_of(dataset: Dataset) -> Encoder:
    """The classifier that is shipped for a data set of images, or the pixels of small copies where there is none."""
    shape, found = (dataset.channels, dataset.resolution, dataset.resolution), shipped_classifier(dataset)
    if found is None:
        return _encoder("pixels", "none", small_copies, shape)
    return _encoder(dataset.extractor, found.digest, found.net.features, shape)


def _encoder(name: str, version: str, net: Callable[[Tensor], Tensor], shape: tuple[int, int, int]) -> Encoder:
    return Encoder(name, version, net(torch.zeros(1, *shape)).shape[1], net)
