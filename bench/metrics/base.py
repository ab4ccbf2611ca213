"""What a metric is: it scores images by their features or runs the sampler again, and fills columns of the results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from torch import Tensor

from samplerbench.methods import Plugin, Registry, Sampler, import_files, load_entry_points
from samplerbench.metrics.column import Column
from samplerbench.networks.conditions.base import Asked
from samplerbench.networks.loaded import LoadedNetwork

if TYPE_CHECKING:  # torch-fidelity takes a second to import
    from samplerbench.metrics.encoders.base import Encoder
    from samplerbench.metrics.reference import RealFeatures

# What a metric may require beside images -> what is needed, as it reads after "it needs".
REQUIREMENTS = {
    "exact": "a closed form of the data",
    "logits": "a classifier of the data",
    "labels": "a classifier of the data set's own classes",
    "teacher": "the teachers of students",
}


Shape = tuple[int, int, int]  # of an image: channels, height, width


class Features(NamedTuple):
    """What an extractor computes of a batch of images: features (B, D) and, if requested, logits (B, classes); float64.

    labels: the labels (B,) of generated images, if the network has classes; -1 for an image without one.
    images: the images (B, C, H, W), as they were given. asked: what they were conditioned on, if anything.
    A metric may rely on what it requires: logits and labels are None only where no metric does.
    """

    features: Tensor
    logits: Any = None  # Tensor | None
    labels: Any = None  # Tensor | None
    images: Any = None  # Tensor | None
    asked: Asked | None = None


class FeatureExtractor(ABC):
    """Turns images (N, C, H, W), uint8 unless they are exact data, into features.

    name: in the protocol. width: the number of features. digest: the hash of the weights. label: how headings name it.
    exact: whether the features are the pixels themselves, also of exact data, whose moments are then theirs.
    """

    name: str
    width: int
    digest: str
    label: str = ""
    exact: bool = False

    @abstractmethod
    def extract(self, images: Tensor) -> Features:
        """Features (N, D), and logits (N, classes) if they were requested, in float64 on the CPU."""

    def __call__(self, images: Tensor) -> Tensor:
        """Features (N, D) in float64 on the CPU."""
        return self.extract(images).features


class Accumulator(ABC):
    """The state of a metric over one block of images."""

    @abstractmethod
    def update(self, batch: Features) -> None:
        """Add a batch. With several encoders it takes the features of each, in their order."""

    @abstractmethod
    def columns(self) -> dict[str, float]:
        """The metric's columns for the images so far."""


class Metric(Plugin, ABC):
    """A quality metric.

    columns: the columns of results.csv that it fills, the first of which is the metric itself.
    requires: what it needs beside images, from `REQUIREMENTS`.
    """

    columns: ClassVar[tuple[Column, ...]]
    requires: ClassVar[frozenset[str]] = frozenset()

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """The plug-ins that its options name, whose code determines its columns too."""
        return ()

    def described(self, real: RealFeatures, *more: RealFeatures) -> tuple[Column, ...]:
        """Its columns as a run records them: with what is known of them only once the features are."""
        return self.columns


class ImageMetric(Metric, ABC):
    """A metric of images, seen batch after batch through a feature extractor.

    needs_reference_images: whether the mean and covariance of the reference's features do not suffice.
    needs_floor: whether it is undefined without held-out real images.
    With several encoders, `accumulator` and `described` take the real features of each, in their order.
    """

    needs_reference_images: ClassVar[bool] = True
    needs_floor: ClassVar[bool] = False

    @property
    def encoded_by(self) -> tuple[Encoder, ...]:
        """The encoders in whose features it measures; none for the extractor of the data set."""
        return ()

    @property
    def plugins(self):
        return self.encoded_by

    @abstractmethod
    def accumulator(self, real: RealFeatures, *more: RealFeatures) -> Accumulator:
        """A fresh accumulator for one block of images, to be compared with the real ones."""

    def min_samples(self, width: int) -> int:
        """The fewest images in a block that it can score with this many features."""
        return 2


class SamplerMetric(Metric, ABC):
    """A metric that images alone do not determine: it runs the sampler again, off the clock.

    features: whether it needs the features of the real images.
    """

    features: ClassVar[bool] = True

    @abstractmethod
    def evaluate(self, sampler: Sampler, network: LoadedNetwork, block: int, real: RealFeatures) -> dict[str, float]:
        """Its columns for one seed block; NaN where it is undefined for this sampler."""


def _load_metrics() -> None:
    import_files("samplerbench.metrics")
    load_entry_points()


METRICS: Registry[Metric] = Registry("metric", Metric, _load_metrics)
