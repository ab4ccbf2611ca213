"""Data sets: uint8 images with labels, a split, and a hash."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from samplerbench.data.distributions import Distribution, Empirical, Gaussian, GaussianMixture, cosines
from samplerbench.errors import InputError
from samplerbench.methods import Plugin, Registry
from samplerbench.metrics.frechet import Statistics


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] floats -> uint8, rounded: the one quantisation for samples and references alike."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def as_picture(images: Tensor) -> Tensor:
    """uint8 images as they are, floats by `to_uint8`."""
    return images if images.dtype == torch.uint8 else to_uint8(images)


def to_float(images: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1], the inverse of `to_uint8`."""
    return images.float() / 127.5 - 1


@dataclass(frozen=True)
class Images:
    """A loaded data set: uint8 images (N, C, H, W) and int64 labels (N,), for training and held out.

    held_out_reference: whether quality is measured against the held-out images, and its floor on the training images;
    otherwise, by the field's convention, the other way round.
    known: the exact mean and covariance of an exact data set, whose images are float64 and stay as they are.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    held_out_reference: bool = False
    known: Statistics | None = None

    def finished(self, images: Tensor) -> Tensor:
        """What a sampler made (N, C, H, W), in the form of these images: uint8, but for exact data."""
        return images.double() if self.known else to_uint8(images)

    @property
    def reference(self) -> Tensor:
        """The images that samples are compared with."""
        return self.test if self.held_out_reference else self.train

    @property
    def floor(self) -> Tensor:
        """Real images that are not the reference: what they score is the floor."""
        return self.train if self.held_out_reference else self.test

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
    """A source of images. `preset` names the U-Net that fits them, `extractor` the features that FID is measured on.

    metrics: the figures of quality unless told otherwise.
    classified: whether the extractor's logits are those of the data set's own classes.
    """

    resolution: ClassVar[int]
    channels: ClassVar[int]
    classes: ClassVar[int]
    preset: ClassVar[str]
    extractor: ClassVar[str] = "inception-v3-compat"
    metrics: ClassVar[tuple[str, ...]] = ("fid", "novelty")

    @cached_property
    def distribution(self) -> Distribution | None:
        """Where the images come from if that is known in closed form, so that no network need be trained."""
        return None

    classified: ClassVar[bool] = False

    @abstractmethod
    def load(self, root: str | None = None, download: bool = False) -> Images:
        """Read the images from the folder `root`. Raises InputError, which says what to run, if they are not there."""


DATASETS = Registry("dataset", Dataset)


@DATASETS.register("digits")
@dataclass(frozen=True)
class Digits(Dataset):
    """The 1797 handwritten digits inside scikit-learn: 1000 for training, 797 held out, split once and for all."""

    resolution, channels, classes, preset, extractor = 8, 1, 10, "digits", "digits-cnn"
    classified = True

    def load(self, root=None, download=False):
        if root or download:
            raise InputError("The digits come with scikit-learn: leave out --data-root and --download.")
        from sklearn.datasets import load_digits

        digits = load_digits()
        order = np.random.RandomState(0).permutation(len(digits.images))
        images = to_uint8(torch.from_numpy(digits.images[order]).float()[:, None] / 8 - 1)  # levels 0 ... 16
        labels = torch.from_numpy(digits.target[order]).long()
        return Images(images[:1000], labels[:1000], images[1000:], labels[1000:], held_out_reference=True)


class TorchvisionData(Dataset, ABC):
    """A data set that torchvision reads from `root`, and downloads there only when told to."""

    source: ClassVar[str]

    def load(self, root=None, download=False):
        from torchvision import datasets

        root = root or "data"
        source = getattr(datasets, self.source)
        try:
            train, test = (source(root, train=train, download=download) for train in (True, False))
        except (RuntimeError, OSError) as error:
            raise InputError(
                f"The data set {self.name} is not in {root!r}: add --download to fetch it there, "
                "or give --data-root the folder that holds it."
            ) from error
        return Images(*_tensors(train), *_tensors(test))


def _tensors(split) -> tuple[Tensor, Tensor]:
    """torchvision's arrays (N, H, W) or (N, H, W, C) as uint8 (N, C, H, W), and the labels."""
    images = torch.as_tensor(np.asarray(split.data))
    images = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
    return images, torch.as_tensor(split.targets, dtype=torch.int64)


@DATASETS.register("cifar10")
@dataclass(frozen=True)
class CIFAR10(TorchvisionData):
    """CIFAR-10: 50,000 colour images of 32x32 for training, 10,000 for testing."""

    resolution, channels, classes, preset, source = 32, 3, 10, "cifar10", "CIFAR10"


@DATASETS.register("mnist")
@dataclass(frozen=True)
class MNIST(TorchvisionData):
    """MNIST: 60,000 handwritten digits of 28x28 for training, 10,000 for testing."""

    resolution, channels, classes, preset, source = 28, 1, 10, "mnist", "MNIST"


@DATASETS.register("fashion-mnist")
@dataclass(frozen=True)
class FashionMNIST(TorchvisionData):
    """Fashion-MNIST: 60,000 pieces of clothing of 28x28 for training, 10,000 for testing."""

    resolution, channels, classes, preset, source = 28, 1, 10, "mnist", "FashionMNIST"


class Exact(Dataset, ABC):
    """Data whose noised versions are known in closed form: no network, no features, no quantisation."""

    preset: ClassVar[str] = ""
    channels, classes, extractor, metrics = 1, 0, "pixels", ("fid", "wasserstein", "trajectory_rmse", "order")

    @property
    @abstractmethod
    def distribution(self) -> Distribution: ...

    def load(self, root=None, download=False):
        if root or download:
            raise InputError(f"{self.name} is computed, not read: leave out --data-root and --download.")
        generator = torch.Generator().manual_seed(0)
        shape = (2, -1, self.channels, self.resolution, self.resolution)
        others, reference = self.distribution.draw(2 * DRAWN, generator).view(shape)
        labels = torch.zeros(DRAWN, dtype=torch.int64)
        return Images(others, labels, reference, labels, True, self.distribution.statistics)


DRAWN = 2000  # real images of an exact data set, in each split


def _spread(down: float, across: float, size: int) -> Tensor:
    """Variances (D,) along `cosines`, falling with frequency at one rate down the image and at another across."""
    place = torch.arange(size, dtype=torch.float64)
    order = (place[:, None] + place).flatten().argsort(stable=True)
    return (0.4 * down ** place[:, None] * across**place).flatten()[order] ** 2


@DATASETS.register("gaussian")
@dataclass(frozen=True)
class GaussianData(Exact):
    """One anisotropic Gaussian in images of 4x4: score, velocity, flow map and moments in closed form."""

    resolution = 4

    @cached_property
    def distribution(self):
        axes = cosines(4)
        return Gaussian(0.8 * axes[None, :, 1], axes[None], _spread(0.5, 0.8, 4)[None])


@DATASETS.register("mixture")
@dataclass(frozen=True)
class MixtureData(Exact):
    """Four anisotropic Gaussians in images of 4x4: score and moments in closed form, the flow map solved to 1e-10."""

    resolution = 4

    @cached_property
    def distribution(self):
        axes = cosines(4)
        means = torch.stack([1.6 * axes[:, 1], -1.6 * axes[:, 1], 1.6 * axes[:, 2], -1.6 * axes[:, 2]])
        steep, even = _spread(0.5, 0.8, 4), _spread(0.8, 0.5, 4)
        return GaussianMixture(means, axes.expand(4, -1, -1), torch.stack([steep, even, even, steep]))


@DATASETS.register("empirical")
@dataclass(frozen=True)
class EmpiricalData(Exact):
    """The 1000 training digits and nothing else: what a network that has learnt them by heart would predict."""

    resolution = 8

    @cached_property
    def distribution(self):
        return Empirical(to_float(Digits().load().train).double().flatten(1))
