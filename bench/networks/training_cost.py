"""What training a network took, as its checkpoint tells it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from samplerbench.models import Checkpoint, CheckpointError

PARTS = "iterations seconds teacher_nfe".split()


@dataclass(frozen=True)
class Cost:
    """What was spent on a network and on the students it stands on; on an ordinary network, on that itself.

    teacher: the recipe of the ordinary network at the head of its teachers, whose own training is not in the rest;
        empty for an ordinary network.
    iterations: optimiser steps. seconds: of training. teacher_nfe: evaluations of single images by teachers.
    None stands for what the checkpoint does not tell.
    """

    teacher: str = ""
    iterations: int | None = None
    seconds: float | None = None
    teacher_nfe: int | None = None

    def __add__(self, more: "Cost") -> "Cost":
        """What both took together, of the first one's teacher; what either does not tell is not known of both."""
        parts = zip(self._parts, more._parts, strict=True)
        return Cost(self.teacher, *(None if None in (one, other) else one + other for one, other in parts))

    def __str__(self) -> str:
        """As a checkpoint keeps it."""
        seconds = self.seconds if self.seconds is None else round(self.seconds, 1)
        return json.dumps(dict(zip(PARTS, (self.iterations, seconds, self.teacher_nfe), strict=True)))

    @property
    def _parts(self) -> tuple:
        return self.iterations, self.seconds, self.teacher_nfe

    @property
    def columns(self) -> dict[str, object]:
        """The columns of a row."""
        return {"teacher": self.teacher} | {
            "train_iterations": self.iterations,
            "train_seconds": self.seconds,
            "teacher_nfe": self.teacher_nfe,
        }


UNKNOWN = Cost()
NOTHING = Cost("", 0, 0.0, 0)


def read_cost(checkpoint: Checkpoint) -> Cost:
    """What a checkpoint tells of its cost: its `cost`, or for older ones its `iterations` alone.

    Raises CheckpointError if that is damaged.
    """
    metadata = checkpoint.metadata
    teacher = metadata.get("origin", "")
    try:
        if "cost" not in metadata:
            iterations = metadata.get("iterations")
            return Cost(teacher, None if iterations is None else int(iterations))
        iterations, seconds, teacher_nfe = _parts(json.loads(metadata["cost"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{checkpoint.path} does not tell what its training cost ({_told(metadata)}): restore or retrain it."
        ) from error
    return Cost(teacher, int(iterations), seconds, int(teacher_nfe))


def _parts(cost: Mapping[str, float]) -> list[float]:
    """Raises KeyError, TypeError or ValueError for what is no cost."""
    numbers = [float(cost[part]) for part in PARTS]
    if not all(0 <= number < inf for number in numbers):
        raise ValueError("no number from 0 on")
    return numbers


def _told(metadata: Mapping[str, str]) -> str:
    name = "cost" if "cost" in metadata else "iterations"
    return f"its {name} is {metadata[name]!r}"
