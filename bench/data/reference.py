"""What samples are compared with, where --reference names it: other images, or their mean and covariance alone."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from samplerbench.data.arrays import read_npz
from samplerbench.data.dataset import DATASETS, Images, digest
from samplerbench.data.distributions import Moments
from samplerbench.data.files import FileData
from samplerbench.errors import InputError

PREFIX = "stats:"  # as in stats:FILE.npz
SYMMETRIC = 1e-6  # relative to the largest covariance


@dataclass(frozen=True, eq=False)
class GivenStatistics:
    """The mean (D,) and covariance (D, D) of features of unknown images. digest: the hash of both."""

    moments: Moments
    digest: str
    file: Path


def replace_reference(images: Images, spec: str, same: bool = False) -> Images:
    """The images of a data set with all those of another one as the reference; its own give the floor.

    same: whether the data set is the reference itself; then no images are left for the floor.
    Raises InputError if their sizes differ.
    """
    data = DATASETS.get(spec)
    if data.distribution:
        raise InputError(f"--reference {spec} is a distribution, not images: name it with --data.")
    if isinstance(data, FileData):
        whole = data.ordered()
        reference, labels = whole.images, whole.labels
    else:
        loaded = data.load()
        reference, labels = loaded.reference, loaded.train_labels
    own, own_labels = torch.cat((images.train, images.test)), torch.cat((images.train_labels, images.test_labels))
    if same:
        own, own_labels = own[:0], own_labels[:0]
    if reference.shape[1:] != own.shape[1:]:
        sizes = ("x".join(map(str, each.shape[1:])) for each in (reference, own))
        raise InputError("--reference has images of {}, and the data of {}: both must be alike.".format(*sizes))
    return replace(images, train=reference, train_labels=labels, test=own, test_labels=own_labels,
                   held_out_reference=False)  # fmt: skip


def read_statistics(spec: str) -> GivenStatistics:
    """The statistics in a .npz file with `mu` and `sigma`, as ADM and EDM publish them. Raises InputError."""
    file = Path(spec.removeprefix(PREFIX)).expanduser()
    if not file.is_file():
        raise InputError(f"There is no file of statistics {str(file)!r}.")
    arrays = read_npz(file, ("mu", "sigma"))
    if set(arrays) != {"mu", "sigma"}:
        raise InputError(f"{file} must hold the arrays mu and sigma, a mean and a covariance of features.")
    mean, covariance = (_as_tensor(arrays[name], f"{name} in {file}") for name in ("mu", "sigma"))
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)) or len(mean) < 1:
        raise InputError(f"{file} holds mu of shape {tuple(mean.shape)} and sigma of {tuple(covariance.shape)}.")
    scale = covariance.abs().max()
    if (covariance - covariance.T).abs().max() > SYMMETRIC * scale or (covariance.diagonal() < 0).any():
        raise InputError(f"sigma in {file} is no covariance: it is not symmetric, or has negative variances.")
    return GivenStatistics(Moments(mean, covariance), digest(mean, covariance), file)


def _as_tensor(values: np.ndarray, name: str) -> Tensor:
    if values.dtype.kind != "f":
        raise InputError(f"{name} is {values.dtype}, not floating-point numbers.")
    tensor = torch.from_numpy(values.astype(np.float64))
    if not tensor.isfinite().all():
        raise InputError(f"{name} is not finite.")
    return tensor
