"""The commands of the three pages for users with a network and images of their own: each is run, in its order."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel
from PIL import Image

from samplerbench.cli.main import main

DOCS = Path(__file__).parents[1] / "docs"
# Fewer images and blocks than the pages measure: the commands are the same otherwise.
SMALLER = {"--samples 500": "--samples 12", "--seeds 0-4": "--seeds 0-1", "samples = 60": "samples = 12",
           "batch_size = 60": "batch_size = 12", "0-7": "0-1", "--nfe 5,10,20": "--nfe 5",
           "--steps 5,10,20": "--steps 5",
           "--nfe 5,10": "--nfe 5", "--evaluations 20": "--evaluations 10", "--steps 1,4": "--steps 1"}  # fmt: skip
MODULE = """
import torch
from samplerbench.methods import Linear
from samplerbench.networks import ExternalNetwork

def net(x, t):
    return x * t.view(-1, 1, 1, 1)

def teacher():
    return ExternalNetwork(net, Linear(), "velocity", (3, 8, 8), digest="teacher")

def student():
    return ExternalNetwork(net, Linear(), "velocity", (3, 8, 8), distilled=True, digest="student")
"""


def smaller(text: str) -> str:
    for long, short in SMALLER.items():
        text = text.replace(long, short)
    return text


def commands(page: str) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(), re.S)
    joined = [re.sub(r"\\\n\s*", "", block) for block in blocks]
    lines = [line.strip() for block in joined for line in block.splitlines() if line.strip()]
    assert lines
    assert all(line.startswith("bench ") for line in lines)
    return [shlex.split(smaller(line), comments=True)[1:] for line in lines]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what the pages speak of: a pipeline, images, a module, samples, a suite."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8,), norm_num_groups=4, add_attention=False,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",),
    )  # fmt: skip
    DDIMPipeline(unet, DDIMScheduler()).save_pretrained("my-model")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    Path("images").mkdir()
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(f"images/{index:02}.png")
    np.savez("samples.npz", arr_0=pixels[:12])
    Path("mymodels.py").write_text(MODULE)
    for suite in re.findall(r"```toml\n\s*# guard.toml\n(.*?)```", (DOCS / "guard.md").read_text(), re.S):
        Path("guard.toml").write_text(smaller(re.sub(r"(?m)^ {3}", "", suite)))
    return tmp_path


@pytest.mark.parametrize("page", ["choose.md", "publish.md", "guard.md"])
def test_every_command_of_the_page_runs(page, place):
    for words in commands(page):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 0, f"bench {shlex.join(words)}:\n{done.output[-2000:]}"


@pytest.mark.parametrize("page", ["choose.md", "publish.md", "guard.md"])
def test_it_ends_in_a_picture_that_exists(page):
    last = (DOCS / page).read_text().strip().splitlines()[-1]
    target = re.fullmatch(r"!\[.+\]\((.+)\)", last)
    assert (DOCS / target[1]).is_file()
