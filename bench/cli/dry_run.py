"""`bench run --dry-run`: the cells of a sweep, a line each, and the totals."""

import sys
from collections.abc import Iterator
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from samplerbench.cli.lines import NONE, aligned, duration

if TYPE_CHECKING:
    from samplerbench.sweep.plan import Plan, PlannedCell
    from samplerbench.sweep.request import Request
    from samplerbench.sweep.session import Session

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
