"""What a metric gathers over the batches of a block of images, and keeps of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from samplerbench.metrics.frechet import Statistics
from samplerbench.metrics.neighbours import balls_hit


class Seen(NamedTuple):
    """What an extractor sees in a batch of images: features (B, D) and, if asked for, logits (B, classes); float64.

    labels: the classes (B,) that the images were asked for, where a metric needs them.
    """

    features: Tensor
    logits: Tensor | None = None
    labels: Tensor | None = None


class Accumulator(ABC):
    """What a metric has seen of one block of images."""

    @abstractmethod
    def update(self, seen: Seen) -> None:
        """Add a batch."""

    @abstractmethod
    def columns(self) -> dict[str, float]:
        """The metric's columns for the images added up to now."""


class Blind(Accumulator):
    """Looks at no image."""

    def update(self, seen):
        pass

    def columns(self):
        return {}


class Moments(Accumulator):
    """Keeps statistics alone: its memory does not grow with the number of images."""

    def __init__(self, width: int, score: Callable[[Statistics], dict[str, float]]):
        self.statistics, self.score = Statistics(width), score

    def update(self, seen):
        self.statistics.update(seen.features)

    def columns(self):
        return self.score(self.statistics)


@dataclass(frozen=True, eq=False)
class Kept(Accumulator):
    """Keeps what `of` makes of every batch, one row an image, and scores all of it at the end."""

    score: Callable[[Tensor], dict[str, float]]
    of: Callable[[Tensor], Tensor] = lambda features: features
    parts: list[Tensor] = field(default_factory=list)

    def update(self, seen):
        self.parts.append(self.of(seen.features))

    def columns(self):
        return self.score(torch.cat(self.parts))


class Hit(Accumulator):
    """Which neighbourhoods of real images hold a sample."""

    def __init__(self, centres: Tensor, reach: Tensor):
        self.centres, self.reach = centres, reach
        self.hit = torch.zeros(len(centres), dtype=torch.bool)

    def update(self, seen):
        self.hit |= balls_hit(seen.features, self.centres, self.reach)

    def columns(self):
        return {"coverage": self.hit.double().mean().item()}


class Right(Accumulator):
    """How many images the classifier takes for what they were asked to be."""

    def __init__(self, score: Callable[[float], dict[str, float]]):
        self.score, self.right, self.seen = score, 0, 0

    def update(self, seen):
        self.right += int((seen.logits.argmax(1) == seen.labels).sum())
        self.seen += len(seen.labels)

    def columns(self):
        return self.score(self.right / self.seen)


class Classes(Accumulator):
    """Sums of p(y|x) and of its negative entropy, over the images of each split."""

    def __init__(self, splits: int):
        self.splits, self.seen = splits, 0
        self.counts = torch.zeros(splits, dtype=torch.float64)
        self.negentropy = torch.zeros(splits, dtype=torch.float64)
        self.marginal: Tensor | float = 0.0  # (splits, classes)

    def update(self, seen):
        log_p = seen.logits.double().log_softmax(1)  # (B, classes)
        p = log_p.exp()
        split = torch.arange(self.seen, self.seen + len(p)) % self.splits
        member = F.one_hot(split, self.splits).double()  # (B, splits)
        self.seen += len(p)
        self.counts += member.sum(0)
        self.negentropy += member.T @ (p * log_p).sum(1)
        self.marginal = self.marginal + member.T @ p

    def columns(self):
        marginal = self.marginal / self.counts[:, None]
        entropy = -torch.special.xlogy(marginal, marginal).sum(1)
        return {"inception_score": (self.negentropy / self.counts + entropy).exp().mean().item()}
