"""`bench run`."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from samplerbench.cli.group import INTERRUPTED
from samplerbench.cli.measuring import measure_session, terminable
from samplerbench.cli.options import given_in, options_of
from samplerbench.cli.spent import time_line
from samplerbench.errors import InputError
from samplerbench.sampling.breakdown import START_UP, Breakdown, process_age
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.suite import read_suite

if TYPE_CHECKING:
    from samplerbench.store.place import Place
    from samplerbench.store.results import Results
    from samplerbench.sweep.request import Request
    from samplerbench.sweep.session import Session

# torch takes seconds to import: only when the command runs.


@click.command()
@click.argument("suite", required=False)
@click.option("--dry-run", is_flag=True, help="Print the cells, their evaluations and an estimate of the time.")
@click.option(
    "--profile", is_flag=True, help="Profile one batch of the first cell that is measured: profile/*.json.gz."
)
@options_of(Sweep)
@click.pass_context
def run(context: click.Context, options: Sweep, suite: str | None, dry_run: bool, profile: bool) -> None:
    """Sweep methods over step counts; write results.csv and report.md as cells finish.

    SUITE is a .toml file with these options, or one of `bench list suites`; options given here override its own.

    The same command resumes where it was stopped. Exit codes: 0 all cells measured, 1 a cell failed, 2 wrong input.

    \b
    bench run --methods ddim,flow --steps 10,50
    bench run --methods ddim,flow,pf_ode[solver=heun] --nfe 10,20 --seeds 0-4
    bench run --methods flow --steps 10 --guidance 1,2,4 --metrics fid,class_accuracy
    bench run --preset cifar10 --no-quality --batch-size 8 --steps 5
    bench run few-step --samples 500 --dry-run
    bench run --methods all --dataset mixture --output results/array --shard 3/16
    """
    spent = Breakdown(process_age())
    with spent.part(START_UP):
        from samplerbench.sweep.request import Request

    request = Request(options, read_suite(suite) if suite else None, given_in(context, Sweep))
    if dry_run:
        _print_plan(request, profile)
        return
    done = _measure(request, spent, profile)
    if not (done.session and done.cells):  # a shard without any
        return
    folder = request.report or done.folders[0]
    with done.session.reporting():
        failed = _report(done, request.report)
    click.echo(time_line(each.seconds for each in done.spent), err=True)
    if done.interrupted:
        where = folder.parent if request.report else folder
        click.echo(f"Interrupted: the cells above are kept in {where}; the same command continues.", err=True)
        context.exit(INTERRUPTED)
    context.exit(int(failed))


@dataclass
class Measured:
    """What has been measured. spent: on each sweep. session: the last one's; those before hold no networks any more.

    changed: whether any cell was pending.
    """

    folders: "list[Place]" = field(default_factory=list)
    spent: list[Breakdown] = field(default_factory=list)
    session: "Session | None" = None
    cells: int = 0
    changed: bool = False
    interrupted: bool = False

    def add(self, session: "Session") -> None:
        """The next session begins."""
        self.folders.append(session.store.folder)
        self.spent.append(session.spent)
        self.session = session
        self.cells += len(session.jobs)
        self.changed |= bool(session.pending)


def _print_plan(request: "Request", profile: bool) -> None:
    from samplerbench.cli.dry_run import print_plans

    if profile:
        raise InputError("--profile has no effect with --dry-run, which measures nothing: leave one of them out.")
    print_plans(request)


def _measure(request: "Request", spent: Breakdown, profile: bool) -> Measured:
    """Measure the sweeps of a request. Raises InputError if there is nothing to profile."""
    from samplerbench.sweep.profile import can_profile

    done = Measured()
    with terminable():
        for title, session in request.sessions(spent):
            done.add(session)
            chosen = profile and can_profile(session)
            done.interrupted = measure_session(title, session, chosen)
            if done.interrupted:
                return done
            profile = profile and not chosen
    if profile:
        raise InputError("--profile has no effect, since no cell is left to sample: choose another --output.")
    return done


def _report(done: Measured, merged: "Place | None") -> bool:
    """Print the results and write their report, of several sweeps into `merged`; returns whether a cell failed."""
    from samplerbench.cli.results import print_results
    from samplerbench.store import merge
    from samplerbench.store.results import load

    results = merge.merge(done.folders, merged, mixed=True) if merged else load(done.folders[0])
    print_results(results)
    if merged:
        merge.write(results, done.folders, mixed=len(results.groups) > 1)
    _write_report(results, unless_current=not (merged or done.changed))
    return bool((results.rows["status"] == "failed").any())


def _write_report(results: "Results", unless_current: bool) -> None:
    from samplerbench.report.current import REPORT, is_current

    current = unless_current and is_current(results.folder)  # drawing it takes seconds
    written = results.folder / REPORT if current else _drawn(results)
    click.echo(f"\nReport: {written}, {written.with_suffix('.html')}")


def _drawn(results: "Results") -> "Place":
    """Write the report; returns its path. Raises InputError if that fails."""
    from samplerbench.report.write import write_results

    folder = results.folder
    try:
        return write_results(results)
    except Exception as error:  # also of a plug-in's columns: nothing that was measured is lost
        cause = error.__cause__ or error
        reason = (cause.strerror or cause) if isinstance(cause, OSError) else f"{type(cause).__name__}: {cause}"
        raise InputError(
            f"The report could not be written ({reason}), but all rows are in {folder / 'results.csv'}: "
            f"`bench report {folder}` writes it later."
        ) from error
