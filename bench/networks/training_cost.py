"""The cost of training a network, as its checkpoint records it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from samplerbench.models import Checkpoint, CheckpointError

PARTS = "iterations seconds teacher_nfe".split()


@dataclass(frozen=True)
class TrainingCost:
    """The cost of a network, or of a student and the students it was distilled from.

    teacher: the recipe of the undistilled network at the root of its teachers, whose own training is excluded; empty
        for an undistilled network.
    iterations: optimiser steps. seconds: of training. teacher_nfe: evaluations of single images by teachers.
    None where the checkpoint does not record it.
    """

    teacher: str = ""
    iterations: int | None = None
    seconds: float | None = None
    teacher_nfe: int | None = None

    def __add__(self, more: "TrainingCost") -> "TrainingCost":
        """The sum of both, with the first one's teacher; None where either is unknown."""
        parts = zip(self._parts, more._parts, strict=True)
        return TrainingCost(self.teacher, *(None if None in (one, other) else one + other for one, other in parts))

    def __str__(self) -> str:
        """The JSON that a checkpoint stores."""
        seconds = self.seconds if self.seconds is None else round(self.seconds, 1)
        return json.dumps(dict(zip(PARTS, (self.iterations, seconds, self.teacher_nfe), strict=True)))

    @property
    def _parts(self) -> tuple:
        return self.iterations, self.seconds, self.teacher_nfe

    @property
    def columns(self) -> dict[str, object]:
        """The columns of a row of results."""
        return {"teacher": self.teacher} | {
            "train_iterations": self.iterations,
            "train_seconds": self.seconds,
            "teacher_nfe": self.teacher_nfe,
        }


UNKNOWN = TrainingCost()
NOTHING = TrainingCost("", 0, 0.0, 0)


def read_cost(checkpoint: Checkpoint) -> TrainingCost:
    """The cost recorded in a checkpoint: its `cost`, or for older ones its `iterations` alone.

    Raises CheckpointError if that is damaged.
    """
    facts = checkpoint.facts
    try:
        if not facts.cost:
            return TrainingCost(facts.origin, int(facts.iterations) if facts.iterations else None)
        iterations, seconds, teacher_nfe = _parts(json.loads(facts.cost))
    except (KeyError, TypeError, ValueError) as error:
        recorded = f"its cost is {facts.cost!r}" if facts.cost else f"its iterations is {facts.iterations!r}"
        raise CheckpointError(
            f"{checkpoint.path} holds no valid training cost ({recorded}): restore or retrain it."
        ) from error
    return TrainingCost(facts.origin, int(iterations), seconds, int(teacher_nfe))


def _parts(cost: Mapping[str, float]) -> list[float]:
    """The numbers in the order of PARTS. Raises KeyError, TypeError or ValueError for anything else than a cost."""
    numbers = [float(cost[part]) for part in PARTS]
    if not all(0 <= number < inf for number in numbers):
        raise ValueError("a cost is a finite number, at least 0")
    return numbers
