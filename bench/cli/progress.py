"""Progress on standard error, from events of the work: bars on a terminal, and lines where there is none."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import click


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


def show(events: Iterable[Event]) -> bool:
    """Consume the events of some work, and so carry it out, and show them; returns whether it was interrupted."""
    from samplerbench.cli.bars import draw  # rich takes a tenth of a second to import

    try:
        if sys.stderr.isatty():
            draw(events)
        else:
            _log(events)
    except KeyboardInterrupt:
        return True
    return False


def _log(events: Iterable[Event]) -> None:
    """Print the lines, and one for every tenth of a bar that has no line of its own."""
    tenths: dict[str, int] = {}
    for event in events:
        if isinstance(event, Line):
            click.echo(event.text, err=True)
        elif event.logged and event.state and event.state.total:
            done, total, note = event.state
            tenth = 10 * done // total
            if tenth != tenths.get(event.label, 0):
                text = f"{event.label}: {done} of {total} {event.unit}"
                click.echo(f"{text}, {note}" if note else text, err=True)
            tenths[event.label] = tenth
