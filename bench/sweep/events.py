"""What a session says while it measures. Importing this does not import torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samplerbench.sampling.measure import CellProgress
    from samplerbench.sweep.jobs import Job


@dataclass(frozen=True)
class Note:
    """Something to say: the state in which the run directory was found, or a worker that was lost."""

    text: str


@dataclass(frozen=True)
class CellStarted:
    """A cell begins in this process; `progress` can be read while it runs."""

    job: "Job"
    progress: "CellProgress"


@dataclass(frozen=True)
class CellFinished:
    """A cell has become a row."""

    row: dict
    job: "Job"


@dataclass(frozen=True)
class UnitsFinished:
    """Units were measured by workers: `done` of `total`, `per_second` since the first one began.

    phase: what the units are.
    """

    phase: str
    done: int
    total: int
    workers: int
    per_second: float


Event = Note | CellStarted | CellFinished | UnitsFinished
