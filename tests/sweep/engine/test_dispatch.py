"""Which unit goes to which worker, on workers that are made of a list."""

from collections import deque

import pytest

from samplerbench.errors import InputError
from samplerbench.sweep.engine.base import Gone, Pool, Ready, Refused
from samplerbench.sweep.engine.dispatch import Dispatch, Lost
from samplerbench.sweep.unit import Failure, Unit

UNITS = [Unit(place, f"cell{place}", 0, work) for place, work in enumerate((1, 3, 2))]


class Listed(Pool):
    """Workers numbered from 0, each of which answers with what `answer(worker, unit)` returns; None for no answer."""

    def __init__(self, size=1, answer=lambda worker, unit: f"result {unit.place}", first=Ready()):  # noqa: B008
        self.size, self.answer, self.first = size, answer, first
        self.messages, self.sent, self.killed, self.started = deque(), [], [], 0

    def start(self, slot):
        self.messages.append((self.started, self.first))
        self.started += 1
        return self.started - 1

    def send(self, worker, unit):
        self.sent.append((worker, unit.place))
        answer = self.answer(worker, unit)
        if answer is not None:
            self.messages.append((worker, answer))

    def receive(self, workers, seconds):
        assert self.messages or seconds is not None, "nothing will ever come"
        return [self.messages.popleft()] if self.messages else []

    def kill(self, worker):
        self.killed.append(worker)


def test_the_largest_unit_goes_first_to_any_free_worker():
    pool = Listed(size=2)
    found = list(Dispatch(pool, UNITS).results())
    assert [place for _, place in pool.sent] == [1, 2, 0]
    assert {unit.place: result for unit, result in found} == {0: "result 0", 1: "result 1", 2: "result 2"}
    assert pool.started == 2


def test_equal_units_go_in_their_order():
    pool = Listed()
    list(Dispatch(pool, [Unit(place, "cell", 0) for place in range(3)]).results())
    assert [place for _, place in pool.sent] == [0, 1, 2]


def test_no_more_workers_start_than_there_are_units():
    pool = Listed(size=16)
    assert len(list(Dispatch(pool, UNITS).results())) == 3
    assert pool.started == 3


def test_a_unit_whose_worker_dies_is_tried_three_times_each_on_a_new_worker():
    pool = Listed(answer=lambda worker, unit: Gone("fell") if unit.place == 1 else "result")
    found = list(Dispatch(pool, UNITS).results())
    assert pool.sent == [(0, 1), (1, 1), (2, 1), (3, 2), (3, 0)]
    assert found[:3] == [
        Lost(UNITS[1], "fell"),
        Lost(UNITS[1], "fell"),
        (UNITS[1], Failure("its worker died 3 times: the last one fell")),
    ]


def test_a_unit_over_its_limit_ends_its_worker_and_the_others_go_on():
    pool = Listed(answer=lambda worker, unit: None if unit.place == 1 else "result")
    found = dict(Dispatch(pool, UNITS, limit=0.01).results())
    assert found[UNITS[1]] == Failure("stopped after 0.01 seconds, the limit of --cell-timeout")
    assert [found[UNITS[0]], found[UNITS[2]]] == ["result", "result"]
    assert pool.killed == [0]


def test_the_units_of_a_dropped_cell_are_not_sent():
    pool, blocks = Listed(), [Unit(0, "cell0", block) for block in range(3)]
    dispatch = Dispatch(pool, [*blocks, UNITS[1]])
    for _ in dispatch.results():
        dispatch.drop("cell0")
    assert len(pool.sent) == 1
    assert dispatch.left == 0


@pytest.mark.parametrize(
    ("first", "message"),
    [(Gone("fell"), r"3 workers died while they started \(the last one fell\)"), (Refused("No room."), "No room.")],
)
def test_workers_that_never_start_end_the_run(first, message):
    pool = Listed(first=first)
    with pytest.raises(InputError, match=message):
        list(Dispatch(pool, UNITS).results())
    assert pool.sent == []


def test_an_idle_worker_that_dies_is_replaced_only_if_units_are_left():
    pool = Listed(size=2, answer=lambda worker, unit: None)
    results = Dispatch(pool, UNITS[:2]).results()
    answers = [(1, "result"), (1, Gone("fell")), (0, "result")]
    pool.answer = lambda worker, unit: pool.messages.extend(answers) if len(pool.sent) == 2 else None
    assert [each.unit if isinstance(each, Lost) else each[1] for each in results] == ["result", None, "result"]
    assert pool.started == 2
