"""The plan of a sweep: its cells are those of a run, and its counts and seconds come true."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter

import pytest
import torch

from samplerbench.methods import METHODS, Method, register
from samplerbench.sampling.forecast import Pace, forecast
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.plan import plan
from samplerbench.sweep.session import CellFinished, CellStarted, Session

QUICK = {"samples": 20, "batch_size": 10, "output": "run"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("samplerbench.sampling.forecast.SPENT", 0.1)


def measured(session: Session) -> tuple[list[dict], list[int], float]:
    """The rows of a run, the evaluations that were expected of each cell, and its seconds."""
    start, rows, progress = perf_counter(), [], []
    for event in session.execute():
        if isinstance(event, CellStarted):
            progress.append(event.progress)
        elif isinstance(event, CellFinished):
            rows.append(event.row)
    return rows, [each.evaluations for each in progress], perf_counter() - start


@pytest.fixture
def _most_rounds(monkeypatch):
    """As many timed rounds on a machine that is slow for a moment."""
    monkeypatch.setattr("samplerbench.sampling.measure.ENOUGH", inf)


@pytest.mark.usefixtures("_most_rounds")
def test_a_plan_comes_true_and_writes_nothing():
    session = Session(Sweep("ddim,flow[solver=heun],knowledge", steps="2,6", **QUICK))
    planned = plan(session)
    assert list(Path.cwd().iterdir()) == []
    assert planned.memory_mb is None or planned.memory_mb > 100
    rows, evaluations, seconds = measured(session)
    assert [(str(cell.job.sampler.method), cell.job.sampler.steps) for cell in planned.cells] == [
        (f"{row['method']}[{row['options']}]" if row["options"] else row["method"], row["steps"]) for row in rows
    ]
    assert [cell.state for cell in planned.cells] == ["pending"] * 4 + ["skipped"] * 2
    for cell, row, spent in zip(planned.pending, rows, evaluations, strict=False):
        assert (cell.nfe, cell.forecast.evaluations) == (row["nfe"], spent)
    assert seconds / 5 < planned.seconds < 5 * seconds


def test_the_evaluations_of_an_adaptive_method_are_those_of_a_trial():
    session = Session(Sweep("flow[solver=dopri5],heun", dataset="mixture", metrics="fid,trajectory_rmse", **QUICK))
    adaptive, heun, _ = plan(session).cells
    rows, *_ = measured(session)
    assert not adaptive.forecast.counted
    assert adaptive.nfe == pytest.approx(rows[0]["nfe"], rel=0.5)
    assert heun.seconds > heun.forecast.seconds, "the metric runs the sampler again"


def test_cells_that_are_measured_are_not_counted_again():
    list(Session(Sweep("ddim", steps=1, timing=False, **QUICK)).execute())
    planned = plan(Session(Sweep("ddim", steps="1,2", timing=False, **QUICK)))
    assert [(cell.state, cell.nfe) for cell in planned.cells] == [("measured", 1), ("pending", 2)]
    assert planned.evaluations == 20 * 2
    list(Session(Sweep("ddim", steps="2", timing=False, **QUICK)).execute())
    assert plan(Session(Sweep("ddim", steps="1,2", timing=False, **QUICK))).seconds == 0


@pytest.fixture
def broken():
    @dataclass(frozen=True)
    class Broken(Method):
        recipe = "ddpm"

        def steps(self, field, x, times, noise):
            raise RuntimeError("out of memory")
            yield

    with METHODS.temporarily():
        register("broken")(Broken)
        yield


def test_a_cell_that_would_fail_is_named_and_the_others_are_planned(broken):
    planned = plan(Session(Sweep("broken,ddim", steps=2, timing=False, **QUICK)))
    assert [cell.state for cell in planned.cells] == ["fails", "pending"]
    assert "RuntimeError: out of memory" in planned.cells[0].reason


def test_a_fine_solution_for_a_metric_costs_time(monkeypatch):
    monkeypatch.setattr("samplerbench.sweep.plan.trial_nfe", lambda *_: 500)
    plain, metric = (
        plan(Session(Sweep("ddim", steps=6, timing=False, metrics=metrics, **QUICK)))
        for metrics in ("novelty", "novelty,trajectory_rmse")
    )
    assert metric.once - plain.once > 500 * metric.cells[0].forecast.seconds / (6 * 2 + 6 + 1)


@pytest.mark.usefixtures("_most_rounds")
def test_guidance_and_speed_alone_are_planned():
    guided = plan(Session(Sweep("flow", steps=4, guidance="3,classifier", timing=False, **QUICK)))
    assert [cell.nfe for cell in guided.cells] == [8, 4]
    speed = plan(Session(Sweep("ddim", preset="digits", quality=False, steps=4, batch_size=2, output="run")))
    (cell,) = speed.cells
    assert (cell.forecast.batches, cell.forecast.evaluations) == (8, 8 * 2 * 4)


@pytest.mark.parametrize(
    ("batch", "samples", "blocks", "timing", "batches", "calls"),
    [
        (0.01, 100, 1, False, 10, 10 * 10),
        (0.01, 20, 1, True, 8, 8 * (10 + 2) + 7 + 1),  # quick: the most rounds, with two bare forwards each
        (1.0, 20, 1, True, 4, 4 * (10 + 2) + 7 + 1),
        (1.0, 45, 2, True, 10, 10 * (10 + 2) + 7 + 1),
    ],
)
def test_the_seconds_are_those_of_the_forwards_of_a_cell(batch, samples, blocks, timing, batches, calls, flow_network):
    from samplerbench.methods import Sampler, get

    pace = Pace(10, batch, single=0.0, once=0.0, memory_mb=None)
    found = forecast(Sampler(get("flow"), 10), flow_network, pace, samples, blocks, timing)
    assert (found.batches, found.evaluations) == (batches, batches * 10 * 10)
    assert found.seconds == pytest.approx(calls * batch)
    scored, rounds = -(-samples // 10) * blocks * 10, (8 if batch < 0.1 else 4) * timing
    assert found.untimed == pytest.approx(scored * batch), "the forwards of its images"
    assert found.timing == pytest.approx((rounds * 12 + 8 * timing) * batch), "those of its rounds, apart"


def test_the_time_of_an_evaluation_lies_on_a_line():
    pace = Pace(11, batch=2.0, single=1.0, once=0.0, memory_mb=None)
    assert [pace.seconds(images) for images in (1, 6, 11)] == [1.0, 1.5, 2.0]
    assert Pace(1, 1.0, 1.0, 0.0, None).seconds(32) == 32
    assert torch.is_inference_mode_enabled() is False


def test_units_are_the_blocks_of_cells_and_the_most_evaluations_come_first():
    session = Session(Sweep("ddim,heun,knowledge", steps="2,6", seeds="0-2", timing=False, **QUICK))
    planned = plan(session)
    assert [(cell.job.sampler.method.name, cell.job.sampler.steps) for cell in planned.units] == [
        cell for cell in (("heun", 6), ("ddim", 6), ("heun", 2), ("ddim", 2)) for _ in range(3)
    ]
    assert sum(cell.unit for cell in planned.units) == pytest.approx(planned.seconds - planned.once)
    assert planned.timing == 0
    one, four = planned.schedule(1), planned.schedule(4)
    assert one.wall == pytest.approx(planned.seconds + planned.loading)
    assert four.work == one.work
    assert four.start_up == pytest.approx(one.start_up + planned.loading), "the command loads, and then its workers do"
