"""Data sets: uint8 images with labels, a split, and a hash."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bench.errors import InputError
from methods import Plugin, Registry


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] floats -> uint8, rounded: the one quantisation for samples and references alike."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_float(images: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1], the inverse of `to_uint8`."""
    return images.float() / 127.5 - 1


@dataclass(frozen=True)
class Images:
    """A loaded data set: uint8 images (N, C, H, W) and int64 labels (N,), for training and held out.

    held_out_reference: whether quality is measured against the held-out images, and its floor on the training images;
    otherwise, by the field's convention, the other way round.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    held_out_reference: bool = False

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

    classified: whether the extractor's logits are those of the data set's own classes.
    """

    resolution: ClassVar[int]
    channels: ClassVar[int]
    classes: ClassVar[int]
    preset: ClassVar[str]
    extractor: ClassVar[str] = "inception-v3-compat"
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
