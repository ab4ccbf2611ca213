"""Metrics of a classifier's predictions: the inception score, and whether images show their label."""

from dataclasses import dataclass
from math import nan
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from samplerbench.methods import Between
from samplerbench.metrics.base import METRICS, Accumulator, Features, ImageMetric
from samplerbench.metrics.column import BLOCKS, Column


@METRICS.register("inception_score")
@dataclass(frozen=True)
class InceptionScore(ImageMetric):
    """exp(mean KL(p(y|x) || p(y))) by the data set's classifier, which is Inception only where FID is (1606.03498).

    splits: the mean over this many parts of the images, dealt out in turn.
    """

    splits: Annotated[int, Between(1, 100)] = 1

    needs_reference_images = False
    columns: ClassVar = (
        Column(
            "inception_score", "IS", "higher", extractor=True,
            meaning="**{label}**: exp of the mutual information between image and predicted class; higher is better.",
        ),
    )  # fmt: skip
    requires = frozenset({"logits"})

    def accumulator(self, real):
        return InceptionState(self.splits)

    def min_samples(self, width):
        return 2 * self.splits


class InceptionState(Accumulator):
    """Sums of p(y|x) and of its negative entropy, over the images of each split."""

    def __init__(self, splits: int):
        self.splits, self.count = splits, 0
        self.counts = torch.zeros(splits, dtype=torch.float64)
        self.negentropy = torch.zeros(splits, dtype=torch.float64)
        self.marginal: Tensor | float = 0.0  # (splits, classes)

    def update(self, batch: Features) -> None:
        log_p = batch.logits.double().log_softmax(1)  # (B, classes)
        p = log_p.exp()
        split = torch.arange(self.count, self.count + len(p)) % self.splits
        member = F.one_hot(split, self.splits).double()  # (B, splits)
        self.count += len(p)
        self.counts += member.sum(0)
        self.negentropy += member.T @ (p * log_p).sum(1)
        self.marginal = self.marginal + member.T @ p

    def columns(self) -> dict[str, float]:
        marginal = self.marginal / self.counts[:, None]
        entropy = -torch.special.xlogy(marginal, marginal).sum(1)
        return {"inception_score": (self.negentropy / self.counts + entropy).exp().mean().item()}


@METRICS.register("class_accuracy")
@dataclass(frozen=True)
class ClassAccuracy(ImageMetric):
    """Fraction of images that the data set's classifier assigns to their label, and the same of held-out real ones.

    The classifier was trained on the training images, so only held-out ones show how far to trust it.
    """

    needs_reference_images = False
    columns: ClassVar = (
        Column(
            "class_accuracy", "class accuracy", "higher", "{:.3f}", spread=BLOCKS, floor="class_accuracy_floor",
            meaning="**class accuracy**: fraction of samples that the classifier `{extractor}` assigns to their label; "
            "for real images, that of the held-out ones.",
        ),
        Column("class_accuracy_floor"),
    )  # fmt: skip
    requires = frozenset({"logits", "labels"})

    def accumulator(self, real):
        return AccuracyState(real.accuracy)


class AccuracyState(Accumulator):
    """How many images the classifier assigned to their label. floor: the accuracy on real images."""

    def __init__(self, floor: float):
        self.floor, self.right, self.count = floor, 0, 0

    def update(self, batch: Features) -> None:
        asked = batch.labels >= 0  # others were asked for no class
        self.right += int((batch.logits.argmax(1) == batch.labels)[asked].sum())
        self.count += int(asked.sum())

    def columns(self) -> dict[str, float]:
        accuracy = self.right / self.count if self.count else nan
        return {"class_accuracy": accuracy, "class_accuracy_floor": self.floor}
