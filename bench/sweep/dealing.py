"""Which cells of a sweep each of its shards measures: a pure function of the cells, so that all shards agree on it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from samplerbench.methods import FAULTS
from samplerbench.store.provenance import fingerprint
from samplerbench.sweep.jobs import Job
from samplerbench.sweep.shard import Shard

ADAPTIVE = 100  # steps or evaluations that are assumed of an adaptive method: they are known once it has run
SCORING = 1  # scoring an image, counted in evaluations
Identity = tuple[str, str, str, int, str]  # what tells the rows of a sweep apart


def places(jobs: Sequence[Job], shard: Shard) -> list[int]:
    """The places of a shard's jobs among those of the sweep, in their order.

    Jobs with the same row stay together, since the later of them counts.
    """
    rows = defaultdict(list)
    for place, job in enumerate(jobs):
        rows[identity(job)].append(place)
    work = {row: max(evaluations(jobs[place]) for place in found) for row, found in rows.items()}
    return sorted(place for row in deal(work, shard.count)[shard.index - 1] for place in rows[row])


def deal(work: Mapping[Identity, int], count: int) -> list[list[Identity]]:
    """Rows in `count` parts of about equal work: the largest first, each to the part with the least so far.

    Rows of equal work go in the order of their hashes. Nothing here depends on the machine, so all shards of a command
    agree; a hash of the row alone would agree too, but a sweep's cells differ a hundredfold in their work.
    """
    parts: list[list[Identity]] = [[] for _ in range(count)]
    loads = [(0, 0, place) for place in range(count)]  # work, rows
    for row in sorted(work, key=lambda row: (-work[row], fingerprint(row))):
        done, rows, place = min(loads)
        parts[place].append(row)
        loads[place] = (done + work[row], rows + 1, place)
    return parts


def identity(job: Job) -> Identity:
    """What tells the row of a job from the others of its sweep, on whatever machine it is measured.

    The key of a cell does not serve: it has the machine and the weights in it.
    """
    sampler = job.sampler
    return str(sampler.method), job.recipe, sampler.grid or "", sampler.steps or 0, str(sampler.guidance or "")


def evaluations(job: Job) -> int:
    """The work of a job in evaluations per image and seed block, with scoring; 0 for one that will not be measured."""
    if job.skip or job.fault:
        return 0
    try:
        nfe = job.sampler.nfe
    except FAULTS:  # of a defective method, whose cell fails
        return 0
    return (ADAPTIVE if nfe is None else nfe) + SCORING


def steps_of(job: Job) -> int:
    """The work of a job in steps, without running its method; 0 for one that will not be measured."""
    return 0 if job.skip or job.fault else (job.sampler.steps or ADAPTIVE) + SCORING
