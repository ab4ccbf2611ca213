"""Data whose noised versions have a closed form, so that samplers can be compared with the exact answer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.data.dataset import DATASETS, Dataset, Images, to_float
from samplerbench.data.distributions import Distribution, Empirical, Gaussian, GaussianMixture, cosines
from samplerbench.data.real import Digits
from samplerbench.errors import InputError

DRAWN = 2000  # real images of an exact data set, in each split


class Exact(Dataset, ABC):
    """Data with a closed form: no network, no feature extractor, no quantisation."""

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
        return Images(others, labels, reference, labels, True, self.distribution.moments)


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
    """The 1000 training digits and nothing else: what a network that memorised them would predict."""

    resolution = 8

    @cached_property
    def distribution(self):
        return Empirical(to_float(Digits().load().train).double().flatten(1))
