"""The progress of a training, as an event."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is.

    done, total: iterations; pairs while those are generated.
    loss: the mean since the previous event; None while pairs are generated.
    rate: images per second.
    phase: `pairs` while the teacher generates the pairs that a student is trained on, then `training`.
    """

    done: int
    total: int
    loss: float | None
    rate: float
    phase: Literal["pairs", "training"] = "training"
