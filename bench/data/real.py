"""Image data sets that come with a package or that torchvision reads."""

from abc import ABC
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from samplerbench.data.dataset import DATASETS, Dataset, Images, to_uint8
from samplerbench.errors import InputError


@DATASETS.register("digits")
@dataclass(frozen=True)
class Digits(Dataset):
    """The 1797 handwritten digits inside scikit-learn: 1000 for training, 797 held out, split once and for all."""

    resolution, channels, classes, preset, extractor = 8, 1, 10, "digits", "digits-cnn"
    classified = True

    def load(self, root=None, download=False):
        if root or download:
            raise InputError("The digits come with scikit-learn: leave out --data-root and --download.")
        pixels, digits = _digits()
        order = np.random.RandomState(0).permutation(len(pixels))
        images = to_uint8(torch.from_numpy(pixels[order]).float()[:, None] / 8 - 1)
        labels = torch.from_numpy(digits[order]).long()
        return Images(images[:1000], labels[:1000], images[1000:], labels[1000:], held_out_reference=True)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's images (N, 8, 8) of levels 0 ... 16 and their labels, without importing it, which takes 0.6 s."""
    spec = find_spec("sklearn")
    file = Path(spec.origin or "").with_name("datasets") / "data" / "digits.csv.gz" if spec else None
    if file and file.exists():
        table = np.loadtxt(file, delimiter=",")
        return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(int)
    from sklearn.datasets import load_digits  # of a version that keeps them elsewhere

    found = load_digits()
    return found.images, found.target


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
