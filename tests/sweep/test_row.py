"""Rows against what one would compute by hand; tests/test_api.py has the frame that a user gets."""

import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import torch

import samplerbench
from samplerbench.data.dataset import to_uint8
from samplerbench.methods import Field, get, get_recipe, sample
from samplerbench.models import load, shipped
from samplerbench.sampling.measure import MAX_ROUNDS, MIN_ROUNDS
from samplerbench.sampling.noise import ImageNoise, image_labels
from samplerbench.store.raw import read_raw

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_the_score_is_that_of_images_drawn_by_hand(real, quick):
    frame = samplerbench.run(methods="ddpm", timing=False, **quick)
    recipe = get_recipe("ddpm")
    field = Field(load(shipped("digits", "ddpm")).unet(), recipe.path, recipe.target, image_labels(0, range(80), 10))
    noise = ImageNoise(0, range(80))
    with torch.inference_mode():
        images = to_uint8(sample(get("ddpm"), field, noise(torch.empty(80, 1, 8, 8)), 2, noise))
    assert frame["fid"].item() == pytest.approx(real.frechet(real.extractor(images)), rel=1e-3)
    kept = read_raw(Path(frame.attrs["output"]), frame["cell"].item())["images"]
    assert np.abs(kept.astype(int) - images[:16].numpy()).max() <= 1
    assert frame["latency_s"].isna().all()


def test_speed_columns_come_from_the_timed_rounds(measured):
    row = measured.iloc[0]
    raw = read_raw(Path(measured.attrs["output"]), row["cell"])
    assert MIN_ROUNDS <= len(raw["latency_s"]) == len(raw["forward_s"]) == len(raw["inside_s"]) <= MAX_ROUNDS
    assert row["latency_s"] == pytest.approx(np.median(raw["latency_s"]))
    assert row["overhead_ratio"] == pytest.approx(row["latency_s"] / (row["nfe"] * row["forward_s"]))
    assert row["inner_ratio"] == pytest.approx(np.median(raw["latency_s"] / raw["inside_s"]))
    assert (raw["inside_s"] < raw["latency_s"]).all(), "network calls are part of the run"
    assert row["latency_p95_s"] >= row["latency_s"]
    assert row["images_per_s"] == pytest.approx(40 / row["latency_s"])
    assert row["threads"] == torch.get_num_threads()
    assert row["warmup_s"] > 0
    assert len(row["latency_per_round"].split()) == len(raw["latency_s"])


def test_a_failed_cell_is_a_row_and_the_others_go_on(broken, quick):
    frame = samplerbench.run(methods="raises,explodes,ddim", timing=False, output="run", **quick)
    assert frame["status"].tolist() == ["failed", "failed", "ok"]
    assert frame["error"][0].startswith("RuntimeError: the sampler broke (conftest.py:")
    assert "40 of 40 images are not finite" in frame["error"][1]
    assert "2 failed" in Path("run/report.md").read_text()


def test_seed_blocks_give_a_mean_and_an_interval(quick):
    frame = samplerbench.run(methods="flow", seeds="0-2", timing=False, **quick)
    row = frame.iloc[0]
    values = read_raw(Path(frame.attrs["output"]), row["cell"])["fid"]
    assert len(set(values)) == 3
    assert row["fid"] == pytest.approx(values.mean())
    assert row["fid_ci_low"] < row["fid"] < row["fid_ci_high"]


def test_an_adaptive_method_has_counted_evaluations_and_no_steps():
    row = samplerbench.run(methods="flow[solver=dopri5,rtol=0.01,atol=0.01]", samples=80, timing=False).iloc[0]
    assert pd.isna(row["steps"])
    assert row["grid"] == ""
    assert 8 < row["nfe"] < 200


def test_a_random_network_of_a_preset_is_timed_without_weights():
    row = samplerbench.run(methods="ddim", steps="1", preset="mnist", quality=False, batch_size=1).iloc[0]
    assert (row["status"], row["dataset"], row["resolution"]) == ("ok", "mnist", 28)
    assert row["latency_s"] > 0
    assert pd.isna(row["fid"])
    assert row["gflops_per_image"] > 0.1


def test_fid_from_saved_images_by_another_implementation(real):
    options = {"samples": 200, "batch_size": 128, "seeds": "0,3", "timing": False, "save_images": True}
    frame = samplerbench.run(methods="flow", steps="2", **options)
    row, folder, found = frame.iloc[0], Path(frame.attrs["output"]), []
    for block in (0, 3):
        images = np.load(folder / "images" / f"{row['cell']}-{block}.npy")
        assert (images.dtype, images.shape) == (np.uint8, (200, 1, 8, 8))
        a, b = real.extractor(torch.from_numpy(images)).numpy(), real.reference.numpy()
        root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
        found.append(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root))
    assert row["fid"] == pytest.approx(np.mean(found), rel=1e-6)
    assert json.loads(row["scores_per_seed"])["fid"] == pytest.approx(found, rel=1e-5)


def test_bfloat16_runs_the_network_low_and_the_state_high(quick, measured):
    frame = samplerbench.run(methods="flow", dtype="bfloat16", timing=False, **quick)
    exact = measured.set_index("method").loc["flow", "fid"]
    assert frame["fid"].item() == pytest.approx(exact, rel=0.1)
    assert frame["fid"].item() != exact


def test_a_row_holds_the_command_that_measures_it_again(measured, quick):
    words = shlex.split(measured["command"][1])
    assert words[:4] == ["bench", "run", "--methods", "flow"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    names = {name.removeprefix("--").replace("-", "_"): value for name, value in options.items()}
    again = samplerbench.run(**names, timing=False)
    assert again["fid"].item() == pytest.approx(measured["fid"][1], rel=1e-9)
