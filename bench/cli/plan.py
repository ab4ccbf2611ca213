"""`bench plan`."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samplerbench.cli.lines import NONE, aligned, duration
from samplerbench.cli.options import given_in, options_of
from samplerbench.errors import InputError
from samplerbench.sampling.breakdown import START_UP, Breakdown, process_age
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.suite import read_suite

if TYPE_CHECKING:
    from samplerbench.sweep.plan import Plan
    from samplerbench.sweep.simulate import Schedule

# torch takes seconds to import: only when the command runs.

HEADINGS = ["GPUs", "wall time", "efficiency", "start-up", "limited by", "cost"]
MOST = 100_000  # GPUs


@click.command()
@click.argument("suite", required=False)
@click.option("--gpus", metavar="N,...", help="Devices to plan for, one worker each: one number or several. Required.")
@click.option(
    "--rate",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Take the seconds from this run directory, of whatever hardware.  [default: measure here for some seconds]",
)
@click.option("--price", type=float, metavar="X", help="Of a GPU for an hour, in any currency: print the cost.")
@options_of(Sweep)
@click.pass_context
def plan(
    context: click.Context, options: Sweep, suite: str | None, gpus: str | None, rate: Path | None, price: float | None
) -> None:
    """Estimate the wall time, efficiency and cost of a sweep on several GPUs. Measures and writes nothing.

    SUITE and the other options are those of `bench run`; `bench run --dry-run` prints each cell. A unit of work is a
    seed block of a cell. What the estimate assumes is in docs/scale.md.

    \b
    bench plan --gpus 64 --methods all --steps 5,10,20 --samples 50000 --seeds 0-4 --no-timing
    bench plan few-step --gpus 1,4,16 --rate results/runs/digits-1a2b3c4d --price 2.5
    """
    spent = Breakdown(process_age())
    with spent.part(START_UP):
        from samplerbench.sweep.plan import plan as planned
        from samplerbench.sweep.rates import MeasuredHere, recorded
        from samplerbench.sweep.request import Request

    counts = _gpus(gpus)
    if price is not None and not 0 < price < float("inf"):
        raise InputError(f"--price is that of a GPU for an hour, above 0, and not {price:g}.")
    given = given_in(context, Sweep)
    for name in ("workers", "engine", "address", "cell_timeout"):
        if name in given:
            raise InputError(f"--{name.replace('_', '-')} has no effect on a plan: --gpus gives the workers.")
    request = Request(options, read_suite(suite) if suite else None, given)
    schedules: dict[int, list[Schedule]] = defaultdict(list)
    for title, session in request.sessions(spent):
        if not session.prepared.seeds:
            raise InputError("--no-quality leaves no units to share out, since cells are timed one after another: see "
                             "`bench run --dry-run`.")  # fmt: skip
        rates = recorded(rate, session) if rate else MeasuredHere()
        found = planned(session, rates)
        schedule = [found.schedule(count) for count in counts]
        lines = [*_facts(found), f"rates: {rates.source(session)}"]
        lines += ["", *_table(schedule, price)] if found.units else []
        click.echo("\n".join([f"{title}:", *lines, ""] if title else lines))
        for each in schedule:
            schedules[each.workers].append(each)
    if request.report:
        click.echo("\n".join(_together(schedules, price)))


def _gpus(text: str | None) -> tuple[int, ...]:
    """The numbers of devices. Raises InputError."""
    from samplerbench.sweep.normalise import counts_of

    counts = counts_of(text, "--gpus")
    if not counts:
        raise InputError("--gpus is missing: give the number of GPUs, or several, as in --gpus 1,8,64.")
    if max(counts) > MOST:
        raise InputError(f"--gpus must be at most {MOST}, not {max(counts)}.")
    return counts


def _facts(found: "Plan") -> Iterator[str]:
    """What is to be done, whatever does it."""
    yield f"cells: {len(found.cells)}, of which {len(found.pending)} pending"
    yield f"units: {len(found.units)} (seed blocks of cells)"
    if found.units:
        longest = max(found.units, key=lambda cell: cell.unit)
        yield f"work: {duration(sum(cell.unit for cell in found.units))} on one GPU"
        yield f"longest unit: {duration(longest.unit)} ({longest.job})"
    if found.timing:
        yield f"timing: {duration(found.timing)} more, cell by cell on one GPU that does nothing else"
    yield from (f"{cell.job} fails: {cell.reason}" for cell in found.cells if cell.state == "fails")


def _table(schedules: Sequence["Schedule"], price: float | None) -> list[str]:
    """A line for each number of GPUs."""
    rows = [HEADINGS, *(_row(each, price) for each in schedules)]
    if price is None:
        rows = [row[:-1] for row in rows]
    return aligned(rows, {0, 2, 5})


def _row(each: "Schedule", price: float | None) -> list[str]:
    return [
        str(each.workers),
        duration(each.wall),
        _percent(each.efficiency),
        duration(each.start_up),
        each.limit,
        NONE if price is None else _cost(each.workers, each.wall, price),
    ]


def _together(schedules: Mapping[int, Sequence["Schedule"]], price: float | None) -> Iterator[str]:
    """The sweeps of a suite, which run one after another."""
    for workers, each in schedules.items():
        wall, work = sum(one.wall for one in each), sum(one.work for one in each)
        found = [duration(wall), *([f"efficiency {_percent(work / (workers * wall))}"] if wall else [])]
        found += [] if price is None else [f"cost {_cost(workers, wall, price)}"]
        yield f"all {len(each)} sweeps on {workers} GPU{'s' * (workers > 1)}: {', '.join(found)}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _cost(workers: int, wall: float, price: float) -> str:
    """Of holding all workers to the end. price: of one for an hour."""
    return f"{workers * wall / 3600 * price:.2f}"
