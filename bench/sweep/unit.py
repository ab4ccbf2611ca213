"""The unit of work, a seed block of a cell or its timing, and its result: plain data that travels between processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from samplerbench.store.raw import Arrays

ROUNDS = ("latency", "inside", "decoding", "forward")  # the seconds that are kept of each timed batch, as NAME_s
TEACHER = "teacher:"  # before the stem of a teacher's images, in the stored arrays


@dataclass(frozen=True)
class Unit:
    """place: of its job in the sweep. cell: the job's key. block: the seed block; None for the cell's timing.

    work: relative to the other units. nfe: for a timing, the evaluations per image counted while scoring, if any.
    """

    place: int
    cell: str
    block: int | None
    work: float = 0.0
    nfe: float | None = None


@dataclass(frozen=True)
class BlockResult:
    """A measured seed block.

    scores: the value of every metric's column. evaluations: network evaluations per image, of each batch.
    pictured: uint8 (n, C, H, W), the first images of the cell's first block; None for other blocks.
    teacher: by stem, what a student's teacher makes of their noise.
    """

    block: int
    scores: Mapping[str, float]
    evaluations: Sequence[float]
    redraw_difference: float
    pictured: np.ndarray | None = None
    teacher: Mapping[str, np.ndarray] = field(default_factory=dict)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """For the store; `from_arrays` reads them."""
        arrays = {
            "names": np.array(list(self.scores), dtype=np.str_),
            "scores": np.array(list(self.scores.values()), dtype=np.float64),
            "evaluations": np.array(self.evaluations, dtype=np.float64),
            "redraw_difference": np.float64(self.redraw_difference),
        }
        pictured = {} if self.pictured is None else {"pictured": self.pictured}
        return arrays | pictured | {TEACHER + stem: images for stem, images in self.teacher.items()}

    @classmethod
    def from_arrays(cls, block: int, arrays: Arrays) -> "BlockResult":
        """The result that `to_arrays` was called on. Raises KeyError if the arrays are not from there."""
        scores = dict(zip(arrays["names"].tolist(), arrays["scores"].tolist(), strict=True))
        teacher = {name.removeprefix(TEACHER): each for name, each in arrays.items() if name.startswith(TEACHER)}
        return cls(
            block,
            scores,
            arrays["evaluations"].tolist(),
            float(arrays["redraw_difference"]),
            arrays.get("pictured"),
            teacher,
        )


@dataclass(frozen=True)
class Timing:
    """The measured speed of a cell.

    columns: of its row. rounds: by name, the seconds of every timed batch. host: the machine that was timed.
    """

    nfe: float
    redraw_difference: float
    columns: Mapping[str, Any]
    rounds: Mapping[str, np.ndarray]
    host: str


@dataclass(frozen=True)
class Failure:
    """Why a unit could not be measured. reason: one line. traceback: "" where there is none."""

    reason: str
    traceback: str = ""


Result = BlockResult | Timing | Failure
