"""The weights that come with the package."""

import pytest
import torch

from samplerbench.methods import Sampler, get
from samplerbench.models import load, save, shipped


@pytest.fixture(scope="module")
def taught(flow_network):
    """Noise, labels and the images that the shipped flow makes of them."""
    eps, labels = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 10
    with torch.inference_mode():
        field = flow_network.field(flow_network.net, labels)
        return eps, labels, Sampler(get("flow[solver=rk4]"), 10).sample(field, eps, torch.zeros_like)


@pytest.mark.parametrize(
    ("name", "steps", "most"),
    [
        ("knowledge", 1, 0.13), ("dmd", 1, 0.13), ("reflow_distilled", 1, 0.13), ("reflow", 1, 0.13),
        ("progressive", 1, 0.2), ("progressive", 8, 0.1), ("consistency", 1, 0.25), ("meanflow", 1, 0.25),
        ("meanflow", 8, 0.08), ("shortcut", 1, 0.25), ("shortcut", 8, 0.08), ("bespoke", 2, 0.2), ("bespoke", 8, 0.06),
    ],
)  # fmt: skip
def test_students_make_their_teachers_images(name, steps, most, taught, load):
    eps, labels, images = taught
    sampler = Sampler(get(name), steps)
    network = load(str(sampler.recipe), "digits")
    with torch.inference_mode():
        found = sampler.sample(network.field(network.net, labels), eps, torch.zeros_like)
    error, eulers = (found - images).square().mean().sqrt().item(), 0.36  # of Euler's single step
    assert error < most < eulers
    assert network.distilled
    assert network.origin.cost.teacher == "flow"
    assert network.origin.cost.iterations > 0


def test_8_bits_are_enough_for_the_same_images(tmp_path, taught):
    checkpoint = load(shipped("digits", "flow"))
    file = tmp_path / "flow.safetensors"
    save(file, checkpoint.weights, checkpoint.metadata, "int8")
    assert file.stat().st_size < 0.55 * checkpoint.path.stat().st_size
    eps, labels, _ = taught
    with torch.inference_mode():
        t = torch.full((64,), 0.7)
        one, other = (each.unet()(eps, t, labels) for each in (checkpoint, load(file)))
    assert (one - other).square().mean().sqrt() < 0.03
