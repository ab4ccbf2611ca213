"""Accumulators that several metrics share."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from samplerbench.metrics.base import Accumulator, Features
from samplerbench.metrics.frechet import Statistics


class StreamingStatistics(Accumulator):
    """Keeps mean and covariance only: its memory does not grow with the number of images."""

    def __init__(self, width: int, score: Callable[[Statistics], dict[str, float]]):
        self.statistics, self.score = Statistics(width), score

    def update(self, batch: Features) -> None:
        self.statistics.update(batch.features)

    def columns(self) -> dict[str, float]:
        return self.score(self.statistics)


@dataclass(frozen=True, eq=False)
class Collect(Accumulator):
    """Keeps what `reduce` computes of every batch, one row for each image, and scores all of it at the end."""

    score: Callable[[Tensor], dict[str, float]]
    reduce: Callable[[Tensor], Tensor] = lambda features: features
    parts: list[Tensor] = field(default_factory=list)

    def update(self, batch: Features) -> None:
        self.parts.append(self.reduce(batch.features))

    def columns(self) -> dict[str, float]:
        return self.score(torch.cat(self.parts))
