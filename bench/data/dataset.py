"""Data sets: uint8 images with labels, a split, and a hash."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.data.distributions import Distribution, Moments
from samplerbench.methods import Plugin, Registry, import_files, load_entry_points

OWN_IMAGES = "own images"  # what scores on the user's files are known by, wherever these lie


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] floats -> uint8, rounded: the one quantisation for samples and references alike."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_float(images: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1], the inverse of `to_uint8`."""
    return images.float() / 127.5 - 1


def quantised(images: Tensor, exact: bool) -> Tensor:
    """Generated images in the form in which they are scored: uint8, or float64 as they are on exact data."""
    return images.double() if exact else to_uint8(images)


def displayed(images: Tensor) -> Tensor:
    """Scored images as uint8 for pictures, which on exact data they are not."""
    return images if images.dtype == torch.uint8 else to_uint8(images)


@dataclass(frozen=True)
class Images:
    """A loaded data set: uint8 images (N, C, H, W) and int64 labels (N,), for training and held out.

    held_out_reference: whether quality is measured against the held-out images, and its floor on the training images;
        otherwise, by the field's convention, the other way round.
    moments: the exact mean and covariance of data with a closed form, whose images are float64 and not quantised.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    held_out_reference: bool = False
    moments: Moments | None = None

    @property
    def exact(self) -> bool:
        """Whether the distribution is known in closed form."""
        return self.moments is not None

    @property
    def reference(self) -> Tensor:
        """The images that samples are compared with."""
        return self.test if self.held_out_reference else self.train

    @property
    def floor(self) -> Tensor:
        """Real images outside the reference: their score is the floor."""
        return self.train if self.held_out_reference else self.test

    @property
    def pixels(self) -> "Images":
        """Of latents, the images that were encoded; itself for images."""
        return self

    @cached_property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of all images and labels."""
        return digest(self.train, self.train_labels, self.test, self.test_labels)


def digest(*tensors: Tensor) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the tensors' bytes."""
    total = hashlib.sha256()
    for tensor in tensors:
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()[:12]


class Dataset(Plugin, ABC):
    """A source of images.

    resolution, channels: of its square images. classes: the number of labels; 0 for none.
    preset: the U-Net that fits it; empty for one made to fit its images.
    extractor: the features in which FID is measured.
    metrics: the metrics measured by default.
    classified: whether the extractor's logits are those of the data set's own classes.
    """

    preset: ClassVar[str]
    extractor: ClassVar[str] = "inception-v3-compat"
    metrics: ClassVar[tuple[str, ...]] = ("fid", "novelty")
    classified: ClassVar[bool] = False

    @property
    @abstractmethod
    def resolution(self) -> int: ...

    @property
    @abstractmethod
    def channels(self) -> int: ...

    @property
    @abstractmethod
    def classes(self) -> int: ...

    @property
    def slug(self) -> str:
        """Its name in paths, such as that of its checkpoints."""
        return self.name

    @property
    def known_as(self) -> str:
        """Its name where scores are compared: wherever its files lie."""
        return str(self)

    @property
    def flags(self) -> str:
        """The options of `bench train` that name it."""
        return f"--dataset {self}"

    @property
    def latent(self) -> str:
        """Of latents, the kind and the digest of their autoencoder; empty for images."""
        return ""

    @property
    def base(self) -> "Dataset":
        """Of latents, the data set of the images; itself for images."""
        return self

    def encode(self, images: Tensor) -> Tensor:
        """The states (N, c, h, w) of a network for images (N, C, H, W) in [-1, 1]: the images, unless in latents."""
        return images

    def of_shape(self, shape: Sequence[int]) -> "Dataset":
        """The same set for images of that shape (C, H, W), where it does not know its own."""
        return self

    @cached_property
    def distribution(self) -> Distribution | None:
        """The distribution of the images if it has a closed form, so that no network need be trained."""
        return None

    @abstractmethod
    def load(self, root: str | None = None, download: bool = False) -> Images:
        """Read the images from the folder `root`. Raises InputError, which says what to run, if they are not there."""


def _load_datasets() -> None:
    import_files("samplerbench.data")
    load_entry_points()


DATASETS: Registry[Dataset] = Registry(
    "dataset", Dataset, _load_datasets,
    "Your own images are folder:DIR, npz:FILE, npy:FILE or parquet:FILE (docs/data.md).",
)  # fmt: skip
