"""The sweep as a user sees it, through the Python function; test_cli.py covers the command."""

import json
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import torch

import samplerbench
from samplerbench.data.datasets import DATASETS, to_uint8
from samplerbench.errors import InputError
from samplerbench.methods import METHODS, Field, Method, get, get_recipe, register, sample
from samplerbench.models import load, shipped
from samplerbench.networks.backbone import load_backbone
from samplerbench.sampling.measure import (
    LEAST_ROUNDS,
    ROUNDS,
    Cell,
    Gauge,
    Round,
    _needs_another_round,
    generate,
    measure,
)
from samplerbench.sampling.noise import ImageNoise, image_labels
from samplerbench.store.run_directory import COLUMNS, read_raw, read_results
from samplerbench.sweep.plan import Job, Sweep
from samplerbench.sweep.session import Session, Started

QUICK = {"samples": 80, "batch_size": 40, "steps": "2"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def broken():
    """Methods that go wrong in the ways methods do."""

    @dataclass(frozen=True)
    class Raises(Method):
        recipe = "ddpm"

        def steps(self, field, x, times, noise):
            raise RuntimeError("the sampler\nbroke")
            yield

    @dataclass(frozen=True)
    class Explodes(Method):
        recipe = "ddpm"

        def steps(self, field, x, times, noise):
            yield x / 0

    @dataclass(frozen=True)
    class Interrupted(Method):
        recipe = "ddpm"

        def steps(self, field, x, times, noise):
            raise KeyboardInterrupt
            yield

    before = METHODS.names()
    for name, cls in (("raises", Raises), ("explodes", Explodes), ("interrupted", Interrupted)):
        register(name)(cls)
    yield
    for name in set(METHODS.names()) - set(before):
        del METHODS._classes[name]


def test_a_run_returns_its_rows_with_the_documented_columns():
    frame = samplerbench.run(methods="ddim,flow", **QUICK)
    assert list(frame.columns)[: len(COLUMNS)] == COLUMNS
    assert frame["method"].tolist() == ["ddim", "flow"]
    assert (frame["status"] == "ok").all()
    assert frame["nfe"].tolist() == [2, 2]
    assert (frame["fid"] > frame["fid_floor"]).all()
    assert frame["overhead_ratio"].between(0.5, 2).all()
    assert frame["images_per_s"].to_numpy() == pytest.approx(40 / frame["latency_s"].to_numpy())
    pd.testing.assert_frame_equal(read_results(Path(frame.attrs["output"])), frame)


def test_the_score_is_that_of_the_images_one_would_draw_by_hand(real):
    frame = samplerbench.run(methods="ddpm", timing=False, **QUICK)
    recipe = get_recipe("ddpm")
    field = Field(load(shipped("digits", "ddpm")).unet(), recipe.path, recipe.target, image_labels(0, range(80), 10))
    noise = ImageNoise(0, range(80))
    with torch.inference_mode():
        images = to_uint8(sample(get("ddpm"), field, noise(torch.empty(80, 1, 8, 8)), 2, noise))
    assert frame["fid"].item() == pytest.approx(real.frechet(real.extractor(images)), rel=1e-3)
    kept = read_raw(Path(frame.attrs["output"]), frame["cell"].item())["images"]
    assert np.abs(kept.astype(int) - images[:16].numpy()).max() <= 1
    assert frame["latency_s"].isna().all()


def test_the_same_run_resumes_and_skips_what_is_done():
    options = {"methods": "ddim,flow", "output": "run", "timing": False} | QUICK
    first = samplerbench.run(**options)
    session = Session(Sweep(**options))
    assert session.pending == []
    more = Session(Sweep(**options | {"methods": "ddim,flow,pf_ode"}))
    assert [str(job) for job in more.pending] == ["pf_ode 2 steps"]
    for _ in more.execute():
        pass
    pd.testing.assert_frame_equal(more.store.frame().iloc[:2], first.iloc[:2])


def test_a_changed_sampler_is_measured_again_in_the_place_of_its_old_row(monkeypatch):
    options = {"methods": "ddim,flow", "output": "run", "timing": False} | QUICK
    first = samplerbench.run(**options)
    monkeypatch.setattr("samplerbench.sweep.session.code_digest", lambda method: "changed")
    second = samplerbench.run(**options)
    assert len(second) == 2
    assert set(second["cell"]).isdisjoint(first["cell"])


def test_few_images_are_still_timed_often_enough():
    frame = samplerbench.run(methods="ddim", samples=40, batch_size=40, steps="1")
    raw = read_raw(Path(frame.attrs["output"]), frame["cell"].item())
    assert LEAST_ROUNDS <= len(raw["latency_s"]) == len(raw["forward_s"]) == len(raw["inside_s"]) <= ROUNDS
    row = frame.iloc[0]
    assert row["overhead_ratio"] == pytest.approx(row["latency_s"] / (row["nfe"] * row["forward_s"]))
    assert row["latency_p95_s"] >= row["latency_s"]
    assert row["threads"] == torch.get_num_threads()
    assert row["warmup_s"] > 0


def test_another_protocol_does_not_mix_into_a_run():
    samplerbench.run(methods="ddim", output="run", timing=False, **QUICK)
    with pytest.raises(InputError, match="another protocol"):
        samplerbench.run(methods="ddim", output="run", timing=False, **QUICK | {"samples": 90})


def test_a_failed_cell_is_a_row_and_the_others_go_on(broken):
    frame = samplerbench.run(methods="raises,explodes,ddim", timing=False, output="run", **QUICK)
    assert frame["status"].tolist() == ["failed", "failed", "ok"]
    assert frame["error"][0].startswith("RuntimeError: the sampler broke (test_runner.py:")
    assert "40 of 40 images are not finite" in frame["error"][1]
    assert "2 failed" in Path("run/report.md").read_text()
    again = Session(Sweep(methods="raises,explodes,ddim", timing=False, output="run", **QUICK))
    assert len(again.pending) == 2, "failed cells are tried again, the measured one is not"


def test_an_interrupt_keeps_what_is_done(broken):
    options = {"methods": "ddim,interrupted,flow", "timing": False, "output": "run"} | QUICK
    with pytest.raises(KeyboardInterrupt):
        samplerbench.run(**options)
    rows = read_results(Path("run"))
    assert rows["method"].tolist() == ["ddim"]
    assert Path("run/report.md").exists()
    assert [str(job) for job in Session(Sweep(**options)).pending] == ["interrupted 2 steps", "flow 2 steps"]


def test_seed_blocks_give_a_mean_and_an_interval():
    frame = samplerbench.run(methods="flow", seeds="0-2", timing=False, **QUICK)
    row = frame.iloc[0]
    values = read_raw(Path(frame.attrs["output"]), row["cell"])["fid"]
    assert len(set(values)) == 3
    assert row["fid"] == pytest.approx(values.mean())
    assert row["fid_ci_low"] < row["fid"] < row["fid_ci_high"]


def test_an_adaptive_method_has_counted_evaluations_and_no_steps():
    row = samplerbench.run(
        methods="flow[solver=dopri5,rtol=0.01,atol=0.01]", samples=80, batch_size=80, timing=False
    ).iloc[0]
    assert pd.isna(row["steps"])
    assert row["grid"] == ""
    assert 8 < row["nfe"] < 200


@pytest.mark.parametrize("steps", [None, 1, 4, 12])
def test_a_method_is_run_to_its_last_state_however_many_it_yields(steps):
    @dataclass(frozen=True)
    class Chatty(Method):
        recipe = "flow"

        def steps(self, field, x, times, noise):
            yield from (torch.full_like(x, level) for level in range(8))

    backbone = load_backbone("flow", DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    pauses = []
    noise = ImageNoise(0, range(2))
    images, *_ = generate(
        Job(Chatty(), "flow", "uniform", steps), backbone, noise, Gauge(), before=lambda: pauses.append(1)
    )
    assert images.unique().tolist() == [7]
    assert 2 <= len(pauses) <= 9


def test_a_budget_beyond_a_method_is_a_skipped_row():
    frame = samplerbench.run(methods="flow[solver=rk4],ddim", nfe="2", samples=80, timing=False)
    assert frame["status"].tolist() == ["skipped", "ok"]
    assert frame["nfe"].tolist()[1] == 2
    assert "more than 2 evaluations" in frame["error"][0]


def test_a_random_network_of_a_preset_is_timed_without_weights():
    row = samplerbench.run(methods="ddim", steps="1", preset="mnist", quality=False, batch_size=1).iloc[0]
    assert (row["status"], row["dataset"], row["resolution"]) == ("ok", "mnist", 28)
    assert row["latency_s"] > 0
    assert pd.isna(row["fid"])
    assert row["gflops_per_image"] > 0.1


def test_rounds_are_added_until_the_ratio_is_precise_or_time_is_up():
    def wanted(rounds: int, latency: float, spread: float) -> bool:
        cell = Cell(1)
        cell.rounds = [Round(latency * (1 + spread * (-1) ** n), latency, latency, 1) for n in range(rounds)]
        return _needs_another_round(cell)

    assert wanted(LEAST_ROUNDS - 1, 100.0, 0.0)
    assert not wanted(LEAST_ROUNDS, 0.1, 0.001)
    assert wanted(LEAST_ROUNDS, 0.1, 0.3)
    assert not wanted(LEAST_ROUNDS, 100.0, 0.3)
    assert not wanted(ROUNDS, 0.1, 0.3)


def test_the_bare_forward_stands_before_and_after_in_turn(monkeypatch):
    order = []

    @dataclass(frozen=True)
    class Watched(Method):
        name, recipe = "watched", "flow"

        def steps(self, field, x, times, noise):
            order.append("cell")
            yield x

    backbone = load_backbone("flow", DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    monkeypatch.setattr("samplerbench.sampling.measure.timed", lambda work, device: (work(), 1.0))
    monkeypatch.setattr("samplerbench.sampling.measure._warm_up", lambda *_: None)
    backbone.unet.register_forward_hook(lambda *_: order.append("bare"))
    cell = Cell(2)
    for _ in measure(Job(Watched(), "flow", "uniform", 1), backbone, cell, 8, (0,), True, Gauge()):
        order.append("|")
    rounds = "".join(event[0] for event in order).lstrip("b").split("|")
    assert [r.strip("b").count("c") for r in rounds[:4]] == [1] * 4
    assert order[: order.index("|")].index("cell") > 0, "the first round begins with a bare forward"
    second = order[order.index("|") + 1 :]
    assert second[0] == "cell", "the second with the sampler"


def test_the_inner_ratio_sees_a_slow_sampler_through_any_noise():
    @dataclass(frozen=True)
    class Slow(Method):
        name, recipe = "slow", "flow"

        def steps(self, field, x, times, noise):
            for now, _ in pairwise(field.path.along(times)):
                start = time.perf_counter()
                field(x, now)
                time.sleep(0.2 * (time.perf_counter() - start))
                yield x

    backbone = load_backbone("flow", DATASETS.get("digits"), None, torch.device("cpu"), torch.float32, False)
    cell = Cell(32)
    for _ in measure(Job(Slow(), "flow", "uniform", 5), backbone, cell, 64, (0,), True, Gauge()):
        pass
    assert 1.19 < cell.speed()["inner_ratio"] < 1.35


def test_fid_from_saved_images_by_another_implementation():
    frame = samplerbench.run(
        methods="flow", steps="2", samples=200, batch_size=128, seeds="0,3", timing=False, save_images=True
    )
    row, folder = frame.iloc[0], Path(frame.attrs["output"])
    quality = Session(Sweep(methods="flow", steps="2", samples=200, output="elsewhere")).quality
    found = []
    for block in (0, 3):
        images = np.load(folder / "images" / f"{row['cell']}-{block}.npy")
        assert (images.dtype, images.shape) == (np.uint8, (200, 1, 8, 8))
        a, b = quality.extractor(torch.from_numpy(images)).numpy(), quality.real.reference.numpy()
        root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
        distance = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
        found.append(distance)
    assert row["fid"] == pytest.approx(np.mean(found), rel=1e-6)
    assert json.loads(row["scores_per_seed"])["fid"] == pytest.approx(found, rel=1e-5)


def test_the_trajectory_error_falls_with_the_steps_and_is_none_for_a_stochastic_sampler(monkeypatch):
    monkeypatch.setattr("samplerbench.sampling.reference.IMAGES", 4)
    options = {"metrics": "trajectory_rmse", "samples": 40, "batch_size": 40, "timing": False}
    frame = samplerbench.run(methods="flow,ddim,ddpm", steps="4,8", **options)
    errors = frame.set_index(["method", "steps"])["trajectory_rmse"]
    # Both are of first order: twice the steps, half the error.
    for method in ("flow", "ddim"):
        assert 1.5 < errors[method, 4] / errors[method, 8] < 3
    assert errors["ddpm"].isna().all()


def test_the_gauge_ends_where_it_was_expected_to():
    gauges = [
        event.gauge
        for event in Session(Sweep(methods="flow", timing=False, **QUICK)).execute()
        if isinstance(event, Started)
    ]
    assert [(gauge.evaluations, gauge.expected) for gauge in gauges] == [(160, 160)]


def test_bfloat16_runs_the_network_low_and_the_state_high():
    frame = samplerbench.run(methods="flow", dtype="bfloat16", timing=False, **QUICK)
    exact = samplerbench.run(methods="flow", timing=False, **QUICK)
    assert frame["fid"].item() == pytest.approx(exact["fid"].item(), rel=0.1)
    assert frame["fid"].item() != exact["fid"].item()
