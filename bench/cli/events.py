"""Events of the work that a command carries out, as the progress on standard error shows them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


class State(NamedTuple):
    """How far something is. total: None while it is unknown. note: what else to say, as "loss 0.12"."""

    done: int
    total: int | None
    note: str = ""


@dataclass(frozen=True)
class Bar:
    """An event: a bar has moved, or appears if it is new.

    name: which bar; events of the same name move it. label: its text. unit: of the counts.
    live: returns the state whenever it is drawn, for work without events while it runs; otherwise `state` is shown.
    logged: whether a line stands for each tenth of it where there is no terminal; never for a live one.
    """

    name: str
    label: str
    unit: str = ""
    state: State | None = None
    live: Callable[[], State] | None = None
    logged: bool = True


@dataclass(frozen=True)
class Line:
    """An event: a line of text. failed: in red. log: only where there is no terminal, in the place of a bar."""

    text: str
    failed: bool = False
    log: bool = False


Event = Bar | Line
