from collections import Counter
from itertools import chain

import pytest

from samplerbench.sweep.dealing import ADAPTIVE, SCORING, deal, evaluations, identity, places
from samplerbench.sweep.jobs import expand
from samplerbench.sweep.normalise import normalise
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.session import Session
from samplerbench.sweep.shard import Shard

METHODS = "ddim,heun,flow[solver=rk4],flow[solver=dopri5],knowledge"


def jobs_of(**options):
    return expand(normalise(Sweep(**options)))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
def test_every_cell_is_in_one_shard_in_the_order_of_the_sweep(count):
    jobs = jobs_of(methods=METHODS, steps="1,2,5,100", guidance="1,2")
    parts = [places(jobs, Shard(index, count)) for index in range(1, count + 1)]
    assert sorted(chain(*parts)) == list(range(len(jobs)))
    assert all(part == sorted(part) for part in parts)


def test_the_parts_have_equal_work_where_single_cells_allow_it():
    jobs = jobs_of(methods=METHODS, steps="1,2,5,10,20,50,100")
    work = Counter()
    for index in range(1, 5):
        work[index] = sum(evaluations(jobs[place]) for place in places(jobs, Shard(index, 4)))
    whole, largest = work.total(), max(map(evaluations, jobs))
    assert max(work.values()) <= max(1.1 * whole / 4, largest), "4 parts of cells of 2 to 401 evaluations"
    one = (("a", "", "", 0, ""), 1000)
    others = [((name, "", "", 0, ""), 10) for name in "bcdefgh"]
    assert sorted(map(len, deal(dict([one, *others]), 2))) == [1, 7], "dealing in turn would add to the largest"


def test_the_parts_do_not_depend_on_the_order_of_the_cells():
    jobs = jobs_of(methods=METHODS, steps="1,2,5")
    work = {identity(job): evaluations(job) for job in jobs}
    assert deal(work, 3) == deal(dict(reversed(work.items())), 3)


def test_cells_with_the_same_row_stay_together():
    """Of two budgets for which heun has the same number of steps, the row of the later counts."""
    jobs = jobs_of(methods="heun", nfe="9,10,1,2")
    assert len({identity(job) for job in jobs}) < len(jobs)
    for index in (1, 2, 3):
        mine = places(jobs, Shard(index, 3))
        others = set(range(len(jobs))) - set(mine)
        assert {identity(jobs[place]) for place in mine}.isdisjoint(identity(jobs[place]) for place in others)


def test_the_work_of_a_cell_is_counted_or_assumed_and_none_for_one_that_is_not_measured(broken):
    adaptive, counted, skipped = jobs_of(methods="flow[solver=dopri5],flow[solver=rk4],progressive", steps="3")
    assert evaluations(adaptive) == ADAPTIVE + SCORING
    assert evaluations(counted) == 12 + SCORING
    assert (bool(skipped.skip), evaluations(skipped)) == (True, 0)
    (defective,) = jobs_of(methods="raises", steps="2")
    assert evaluations(defective) == 0


def test_a_shard_holds_its_own_networks_alone_and_plans_its_own_cells(quick, elsewhere):
    shards = [Session(Sweep("ddim,flow", **quick, shard=f"{index}/2", timing=False)) for index in (1, 2)]
    assert sorted(name for shard in shards for name in shard.prepared.networks) == ["ddpm", "flow"]
    assert len({shard.prepared.protocol for shard in shards}) == 1
    (first,), (second,) = (shard.planned() for shard in shards)
    whole = Session(Sweep("ddim,flow", **quick, timing=False))
    assert whole.planned().keys() == {first, second}
    assert shards[0].store.folder == whole.store.folder / "shard-1-of-2"
