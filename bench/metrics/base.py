"""What a figure of quality is: it sees features batch after batch, or runs the sampler again, and yields columns."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch

from samplerbench.methods import Plugin, Registry
from samplerbench.metrics.accumulators import Accumulator

if TYPE_CHECKING:  # torch-fidelity takes a second to import
    from samplerbench.metrics.features import Extractor, RealFeatures
    from samplerbench.networks.backbone import Backbone
    from samplerbench.sweep.plan import Job

RISE_IS_WORSE, FALL_IS_WORSE, NO_VERDICT = 1, -1, 0


class Metric(Plugin, ABC):
    """A figure of quality.

    columns: which way each gets worse. logits: whether it needs the classifier's. exact: whether it needs exact data.
    labels: whether it needs to know what the images were asked to be, and a classifier of just these classes.
    teacher: whether it needs the ordinary network that a student was distilled from.
    """

    columns: ClassVar[dict[str, int]]
    logits: ClassVar[bool] = False
    exact: ClassVar[bool] = False
    labels: ClassVar[bool] = False
    teacher: ClassVar[bool] = False

    @abstractmethod
    def start(self, real: "RealFeatures") -> Accumulator:
        """An accumulator for one block of images, to be compared with these real ones."""

    def replay(self, job: "Job", backbone: "Backbone", block: int, real: "RealFeatures") -> dict[str, float]:
        """The columns that images do not tell: for these the sampler is run again, off the clock, on a seed block."""
        return {}

    def least(self, width: int) -> int:
        """The fewest images in a block that it can judge by this many features."""
        return 2

    def extractor(self, device: torch.device) -> "Extractor | None":
        """The extractor that it brings along; None for that of the data set. Raises InputError."""
        return None


METRICS: Registry[Metric] = Registry("metric", Metric)
