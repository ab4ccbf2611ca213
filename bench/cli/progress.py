"""Progress on standard error, from events of the work: bars on a terminal, and lines where there is none."""

import sys
from collections.abc import Iterable

import click

from samplerbench.cli.events import Event, Line


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
        elif event.logged and event.state and (total := event.state.total):
            done, note = event.state.done, event.state.note
            tenth = 10 * done // total
            if tenth != tenths.get(event.label, 0):
                text = f"{event.label}: {done} of {total} {event.unit}"
                click.echo(f"{text}, {note}" if note else text, err=True)
            tenths[event.label] = tenth
