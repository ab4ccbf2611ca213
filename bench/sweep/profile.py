"""`bench run --profile`: a cell's sampling run once more, under a profiler and off the clock."""

from collections.abc import Iterator
from contextlib import nullcontext

from samplerbench.errors import InputError
from samplerbench.methods import FAULTS
from samplerbench.networks.closed_form import one_thread
from samplerbench.sampling.breakdown import PROFILE
from samplerbench.sampling.profile import Profile, profiled
from samplerbench.sweep.cell_key import cell_key
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.row import one_line
from samplerbench.sweep.session import Session

SHOWN = 10  # operators


def can_profile(session: Session) -> bool:
    """Whether any cell is left that will be sampled. Raises InputError if workers would run beside the profile."""
    if not session.in_process:
        raise InputError(
            "--profile needs the machine for itself: leave out --workers, --engine, --cell-timeout, --join."
        )
    return any(not (job.skip or job.fault) for job in session.pending)


def profile_cell(session: Session, job: Job) -> list[str]:
    """Profile one batch of a cell that has been measured, while its session runs; returns what to say, in lines.

    Afterwards, so that neither compiling nor warming up is missing from what the cell has measured. Raises WriteError.
    """
    prepared, network = session.prepared, session.prepared.network(job)
    with session.spent.part(PROFILE):
        try:
            with one_thread() if network.exact else nullcontext():
                found = profiled(job.sampler, network, prepared.batch_size)
        except FAULTS as error:  # a plug-in may raise anything, and the device may lack memory
            return [f"{job} could not be profiled: {one_line(error, job.sampler.method)}"]
        path = session.store.add_profile(cell_key(job, prepared), found.trace)
    return [f"Profile of {job}, one batch of {prepared.batch_size}: {path}", *_table(found)]


def _table(found: Profile) -> Iterator[str]:
    """The operators with the most time, in columns of fixed width."""
    total = sum(operator.seconds for operator in found.operators) or 1.0
    yield "  self ms  share   calls  operator"
    for operator in found.operators[:SHOWN]:
        share = operator.seconds / total
        yield f"{1e3 * operator.seconds:9.2f} {share:5.0%} {operator.calls:7d}  {operator.name}".replace("%", " %")
