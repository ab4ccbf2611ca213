"""`bench run --dry-run`: the cells of a sweep as lines of fixed columns, and the totals."""

import sys
from collections.abc import Container, Iterator, Sequence
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from samplerbench.sweep.plan import Plan, PlannedCell
    from samplerbench.sweep.request import Request
    from samplerbench.sweep.session import Session

NONE = "-"
HEADINGS = ["state", "steps", "NFE", "images", "evaluations", "seconds", "method", "grid", "guidance"]
NUMBERS = range(1, 6)  # columns that are aligned on the right


def print_plans(request: "Request") -> None:
    """Print the plan of every sweep, and what they take together."""
    from samplerbench.sweep.plan import plan

    seconds, count = 0.0, 0
    for title, session in request.sessions():
        found = plan(session)
        lines = [*_table(found), *_reasons(found), "", *_totals(found, session)]
        click.echo("\n".join([f"{title}:", *lines, ""] if title else lines))
        seconds, count = seconds + found.seconds, count + 1
    if count > 1:
        click.echo(f"all {count} sweeps: {duration(seconds)}")


def _table(found: "Plan") -> list[str]:
    """A line for each cell, under headings. Numbers are first, so that long names do not move them."""
    rows = [HEADINGS, *(_row(cell, found.images) for cell in found.cells)]
    if all(row[-1] == NONE for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    return aligned(rows, NUMBERS)


def aligned(rows: Sequence[Sequence[str]], numbers: Container[int]) -> list[str]:
    """The rows as lines of fixed columns, of which those at the places `numbers` are aligned on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_padded(row, widths, numbers)).rstrip() for row in rows]


def _padded(row: Sequence[str], widths: Sequence[int], numbers: Container[int]) -> Iterator[str]:
    for place, (text, width) in enumerate(zip(row, widths, strict=True)):
        yield text.rjust(width) if place in numbers else text.ljust(width)


def _row(cell: "PlannedCell", images: int) -> list[str]:
    sampler, found = cell.job.sampler, cell.forecast
    about = "~" if found and not found.counted else ""
    return [
        cell.state,
        str(sampler.steps or NONE),
        NONE if cell.nfe is None else f"{about}{cell.nfe:g}",
        str(images),
        f"{about}{found.evaluations}" if found else NONE,
        f"{cell.seconds:.1f}" if found else NONE,
        str(sampler.method),
        sampler.grid or NONE,
        str(sampler.guidance or NONE),
    ]


def _reasons(found: "Plan") -> list[str]:
    """Why cells are skipped or fail, a line for each; in paragraphs on a terminal."""
    lines = [f"{cell.job} {cell.state}: {cell.reason}" for cell in found.cells if cell.reason]
    if lines and sys.stdout.isatty():
        width = get_terminal_size().columns
        lines = [part for line in lines for part in wrap(line, width, subsequent_indent="  ", break_on_hyphens=False)]
    return ["", *lines] if lines else []


def _totals(found: "Plan", session: "Session") -> Iterator[str]:
    counts = f"{len(found.cells)}, of which {len(found.pending)} pending"
    yield f"cells: {counts}"
    yield f"evaluations: {found.evaluations} of single images"
    device = session.prepared.device
    if found.pending:
        known = f"about {found.memory_mb:.0f} MB" if found.memory_mb else "unknown"
        yield f"peak memory: {known} ({device}, {found.batch_size} images at a time)"
    yield f"time: {duration(found.seconds)}{'' if session.in_process else ' by a single worker'}"
    yield f"output: {session.store.folder}"


def duration(seconds: float) -> str:
    """A time estimate in words, to two units."""
    if seconds < 1:
        return "about 0 s" if seconds == 0 else "less than a second"
    whole = round(seconds)
    units = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(place for place, (count, _) in enumerate(units) if count)
    return "about " + " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count)
