"""A network saved by diffusers, an author's own module, a shipped recipe and a folder of PNGs, in one report."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel
from PIL import Image

import samplerbench
from samplerbench.cli.main import main

MODULE = """
from samplerbench.methods import Linear
from samplerbench.networks import ExternalNetwork

def make():
    return ExternalNetwork(lambda x, t: x * t.view(-1, 1, 1, 1), Linear(), "velocity", (1, 8, 8), digest="mine")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "authored", raising=False)
    Path("authored.py").write_text(MODULE)
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, block_out_channels=(8,), norm_num_groups=4,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), add_attention=False,
    )  # fmt: skip
    DDIMPipeline(unet, DDIMScheduler()).save_pretrained("saved")
    Path("pngs").mkdir()
    for index, image in enumerate(np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)):
        Image.fromarray(image).save(f"pngs/{index}.png")
    return tmp_path


def test_they_stand_in_one_report(place):
    models = ["diffusers:saved", "authored:make", "flow"]
    frame = samplerbench.run("ddim", model=models, steps=2, samples=30, timing=False, metrics="fid", output="run")
    assert frame["recipe"].tolist() == models
    assert set(frame["status"]) == {"ok"}
    scored = CliRunner().invoke(main, "score pngs --data digits --metrics fid --name theirs --output theirs".split())
    assert scored.exit_code == 0, scored.output
    merged = CliRunner().invoke(main, "report run theirs --output both".split())
    assert merged.exit_code == 0, merged.output
    rows = pd.read_csv("both/results.csv")
    assert sorted(rows["method"]) == ["ddim", "ddim", "ddim", "theirs"]
    assert rows["protocol"].nunique() == 1
    page = Path("both/report.html").read_text()
    assert all(name in page for name in (*models, "theirs"))


def test_a_row_says_the_command_that_measures_it_again(place):
    frame = samplerbench.run(
        "ddim", model=["diffusers:saved", "flow"], steps=2, samples=30, timing=False, metrics="fid", output="run"
    )
    for row in frame.to_dict("records"):
        words = row["command"].split()[1:]
        again = CliRunner().invoke(main, [*words, "--output", "again"])
        assert again.exit_code == 0, again.output
    found = pd.read_csv("again/results.csv").set_index("recipe")["fid"]
    assert found.to_dict() == pytest.approx(frame.set_index("recipe")["fid"].to_dict(), rel=1e-6)


def test_other_weights_are_measured_again(place):
    options = {"model": "diffusers:saved", "steps": 2, "samples": 30, "timing": False, "metrics": "fid"}
    first = samplerbench.run("ddim", **options, output="run")
    again = samplerbench.run("ddim", **options, output="run")
    assert again["utc"].tolist() == first["utc"].tolist()
    unet = UNet2DModel.from_pretrained("saved", subfolder="unet")
    with torch.no_grad():
        unet.conv_out.bias += 1
    unet.save_pretrained("saved/unet")
    changed = samplerbench.run("ddim", **options, output="run")
    assert changed["fid"][0] != first["fid"][0]
    assert changed["weights"][0] != first["weights"][0]
