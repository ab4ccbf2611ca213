"""The latents of an autoencoder as a data set: whatever is trained on images is trained on them in the same way."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from samplerbench.data.dataset import Dataset, Images, to_float
from samplerbench.models import Autoencoder
from samplerbench.networks.loaded import Origin

BATCH = 256


@dataclass(frozen=True)
class Latents(Images):
    """Latents (N, C, h, w) in float32, known by the digest of the images that were encoded."""

    source: str = ""

    @cached_property
    def digest(self) -> str:
        """That of the images: latents differ in their last digits between machines."""
        return self.source


@dataclass(frozen=True, eq=False)
class LatentSpace(Dataset):
    """The latents of a data set's images, scaled to a standard deviation of 1 over the training images.

    source: the data set. kind: of the autoencoder, `kl` or `vq`. origin: of its checkpoint. device: on which it encodes and decodes.
    """

    source: Dataset
    kind: str
    autoencoder: Autoencoder
    origin: Origin
    device: torch.device

    name = "latent"

    def __str__(self) -> str:
        return f"{self.base} in the latents of {self.kind}"

    @property
    def base(self) -> Dataset:
        return self.source

    @property
    def resolution(self) -> int:
        return self.autoencoder.latent_shape[-1]

    @property
    def channels(self) -> int:
        return self.autoencoder.latent_shape[0]

    @property
    def classes(self) -> int:
        return self.base.classes

    @property
    def slug(self) -> str:
        return f"{self.base.slug}/{self.kind}"

    @property
    def preset(self) -> str:  # type: ignore[override]
        return f"{self.base.preset}-latent"

    @property
    def flags(self) -> str:
        return f"{self.base.flags} --latent {self.kind}"

    @property
    def latent(self) -> str:
        return f"{self.kind} {self.origin.digest}"

    def load(self, root=None, download=False):
        """The latents of all images."""
        images = self.base.load(root, download)
        train, test = self.encode(to_float(images.train)), self.encode(to_float(images.test))
        return Latents(
            train.cpu(), images.train_labels, test.cpu(), images.test_labels, images.held_out_reference,
            source=images.digest,
        )  # fmt: skip

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """The scaled latents (N, c, h, w) of images (N, C, H, W) in [-1, 1], on their device."""
        parts = [self.autoencoder.encode(part.to(self.device)).to(part.device) for part in images.split(BATCH)]
        return self.scale * torch.cat(parts).clone()

    def decode(self, latents: Tensor) -> Tensor:
        """Images (N, C, H, W), about in [-1, 1], of scaled latents (N, c, h, w)."""
        return self.autoencoder.decode(latents / self.scale)

    @property
    def scale(self) -> float:
        """One over the standard deviation of the latents of the training images, as the autoencoder recorded it."""
        return float(self.origin.facts.latent_scale)
