"""What an engine is: it starts workers, which load the networks of a sweep once and then measure one unit at a time.

An engine is one file in this package, or a plug-in. `dispatch` does the rest alike for all of them: which unit is next,
time limits, and what happens when a worker dies.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from samplerbench.methods import Plugin, Registry, import_files, load_entry_points
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.unit import Result, Unit

W = TypeVar("W", bound=Hashable)


@dataclass(frozen=True)
class Setup:
    """What a worker is started with.

    sweep: the options, as they were given. run: the path or URL of the run directory, for saved images; on a cluster,
    workers on other machines must see it, and the data and weights that the options name. cells: what `sweep_key` must
    return in the worker. cwd: what relative paths start from. batch_size: what `auto` has found.
    """

    sweep: Sweep
    run: str
    cells: str
    cwd: str
    batch_size: int | None = None


@dataclass(frozen=True)
class Ready:
    """A worker has loaded the networks."""


@dataclass(frozen=True)
class Refused:
    """A worker cannot measure this sweep, nor could another: the run ends. reason: one sentence."""

    reason: str


@dataclass(frozen=True)
class Gone:
    """A worker has died. reason: how, as in `was ended by SIGKILL`."""

    reason: str


Message = Ready | Refused | Gone | Result


class Pool(ABC, Generic[W]):
    """The workers of an engine, each in one of `size` slots. A worker is whatever stands for one."""

    size: int

    @abstractmethod
    def start(self, slot: int) -> W:
        """A new worker, whose first message is Ready, Refused or Gone."""

    @abstractmethod
    def send(self, worker: W, unit: Unit) -> None:
        """Let a worker that is ready measure a unit: its next message is the result, Refused or Gone."""

    @abstractmethod
    def receive(self, workers: Collection[W], seconds: float | None) -> list[tuple[W, Message]]:
        """The messages there are; waits for the first one, or for so many seconds."""

    @abstractmethod
    def kill(self, worker: W) -> None:
        """End a worker at once, whatever it does."""


@dataclass(frozen=True)
class Engine(Plugin, ABC):
    """Where units are measured.

    workers: how many at a time; None for one per device.
    """

    workers: int | None = None

    def in_process(self, device: torch.device) -> bool:
        """Whether it would start a single worker that does what this process can do as well.

        Raises InputError for what is wrong with the options, before anything is measured.
        """
        return False

    @abstractmethod
    def open(self, setup: Setup, device: torch.device) -> AbstractContextManager[Pool]:
        """The pool, without any worker yet; at its end, all workers are killed. Raises InputError for want of room."""


def _load_engines() -> None:
    import_files("samplerbench.sweep.engine")
    load_entry_points()


ENGINES: Registry[Engine] = Registry("engine", Engine, _load_engines)
