"""State dicts of guided-diffusion and torchcfm give the images of a reference written from the formulas."""

from math import cos, pi

import pytest
import torch

from samplerbench.methods import Sampler, get
from samplerbench.networks.model import get_model, load_model
from samplerbench.networks.research.imported import Imported, import_file

STEPS, SIDE, CLASSES = 4, 8, 10
ADM = {
    "base": 32, "widths": [32, 64], "attention": [1], "blocks": 2, "classes": CLASSES, "outputs": 6, "updown": True,
    "scale_shift": True, "heads": 0, "head_channels": 32, "new_order": True,
}  # fmt: skip
CFM = ADM | {"classes": 0, "outputs": 3, "updown": False, "scale_shift": False, "new_order": False}


def made(reference, options, folder, spec, wrap=dict):
    """The reference as net(x, time, label), and our network."""
    weights = reference.Weights()

    def net(x, time, label=None):
        time = torch.full((len(x),), float(time), dtype=torch.float64)
        return reference.adm_unet(weights, options, x, time, label)

    label = torch.tensor([3, 7]) if options["classes"] else None
    net(torch.zeros(2, 3, SIDE, SIDE).double(), 1, label)  # makes the weights
    torch.save(wrap(weights), folder / "net.pt")
    import_file(folder / "net.pt", spec, folder / "net.safetensors")
    return net, label, load_model(get_model(str(folder / "net.safetensors")), torch.device("cpu"), torch.float32)


def assert_same(ours, theirs):
    """Within 1e-5, or of the largest number where that is above 1: random networks make no images in [-1, 1]."""
    torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=1e-5 * max(1.0, theirs.abs().max().item()))


def alphas(schedule):
    """The squared alphas (1000,) of guided-diffusion's chains."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    if schedule == "cosine":
        bars = [cos((i / 1000 + 0.008) / 1.008 * pi / 2) ** 2 for i in range(1001)]
        betas = torch.tensor([min(1 - bars[i + 1] / bars[i], 0.999) for i in range(1000)], dtype=torch.float64)
    return (1 - betas).cumprod(0)


ADMS = {
    "learned variance": (ADM, "adm[image_size=8,head_channels=32,order=new,schedule=cosine]", "cosine"),
    "plain": (ADM | {"outputs": 3, "classes": 0, "new_order": False}, "adm[image_size=8,head_channels=32]", "linear"),
    "convolutions": (CFM | {"heads": 4, "outputs": 6}, "adm[image_size=8,heads=4,order=legacy]", "linear"),
    "one level": (ADM | {"widths": [64], "attention": [0]}, "adm[image_size=8,head_channels=32,order=new]", "linear"),
}


@pytest.mark.parametrize("name", ADMS)
@torch.inference_mode()
def test_images_of_guided_diffusion(reference, tmp_path, name):
    options, spec, schedule = ADMS[name]
    net, label, ours = made(reference, options, tmp_path, spec)
    z = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    sampler = Sampler(get("ddim"), STEPS, "trailing", trained=ours.parametrisation)
    images = sampler.sample(ours.field(ours.net, label), z, torch.zeros_like)

    x, squares = z.double(), alphas(schedule)
    for i in (999, 749, 499, 249):
        eps, after = net(x, i, label)[:, :3], squares[i - 250] if i > 250 else torch.ones(())
        x0 = (x - (1 - squares[i]).sqrt() * eps) / squares[i].sqrt()
        x = after.sqrt() * x0 + (1 - after).sqrt() * eps
    assert_same(images, x)


@torch.inference_mode()
def test_the_learned_variance_is_the_second_half(reference, tmp_path):
    net, label, ours = made(reference, ADM, tmp_path, ADMS["learned variance"][1])
    x = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    assert "variance" in ours.provides
    assert_same(ours.net(x, torch.full((2,), 0.4), label), net(x.double(), 399, label))
    prediction = ours.field(ours.net, label)(x, ours.path.along(torch.tensor([0.4]))[0])
    assert_same(prediction.extra, net(x.double(), 399, label)[:, 3:])


@pytest.mark.parametrize("prefix", ["", "module."])
@torch.inference_mode()
def test_images_of_torchcfm(reference, tmp_path, prefix):
    def wrap(weights):
        ema = {prefix + name: value for name, value in weights.items()}
        return {"net_model": {name: torch.zeros_like(value) for name, value in ema.items()}, "ema_model": ema,
                "sched": {"last_epoch": 3, "lr_lambdas": [None]}, "step": 3}  # fmt: skip

    net, _, ours = made(reference, CFM, tmp_path, "torchcfm[image_size=8,head_channels=32]", wrap)
    z = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    sampler = Sampler(get("flow"), STEPS, "uniform", trained=ours.parametrisation)
    images = sampler.sample(ours.field(ours.net, None), z, torch.zeros_like)
    x = z.double()
    for i in range(STEPS):
        x = x + net(x, i / STEPS) / STEPS  # their time is 1 at the data
    assert (x - z).std() > 0.1
    assert_same(images, x)


def published(base, widths, blocks, attention):
    """The options of `reference.adm_unet` for a published model of guided-diffusion, narrowed to an eighth."""
    return ADM | {"base": base, "widths": widths, "blocks": blocks, "attention": attention, "classes": 0}


@pytest.mark.parametrize(
    ("widths", "attention", "expected"),
    [
        ([32, 64, 96, 128], [1], (64, "cosine", True, 0)), ([32, 32, 64, 96, 128], [4], (128, "linear", False, 4)),
        ([32, 32, 64, 64, 128, 128], [5], (256, "linear", False, 0)),
    ],
)  # fmt: skip
def test_defaults_are_those_of_the_published_model_with_these_levels(reference, tmp_path, widths, attention, expected):
    weights, options = reference.Weights(), published(32, widths, 1, attention)
    reference.adm_unet(weights, options, torch.zeros(1, 3, 32, 32).double(), torch.zeros(1).double())
    torch.save(dict(weights), tmp_path / "net.pt")
    found = import_file(tmp_path / "net.pt", None, tmp_path / "net.safetensors")
    assert Imported.read(found.json) == found
    assert found.family == "adm"
    network = found.network
    assert (network.image_size, found.conventions.schedule, network.split_first, network.heads) == expected
    assert (network.attention, network.blocks, network.widths) == (tuple(attention), 1, tuple(widths))


@torch.inference_mode()
def test_weights_that_share_memory_and_have_half_precision_are_imported(reference, tmp_path):
    """As guided-diffusion saves them after training in half precision: views of one long tensor."""

    def wrap(weights):
        flat = torch.cat([value.flatten() for value in weights.values()])
        views, start = {}, 0
        for name, value in weights.items():
            views[name] = flat[start : start + value.numel()].view(value.shape)
            start += value.numel()
        return views | {"out.2.bias": weights["out.2.bias"].half()}

    net, label, ours = made(reference, ADM, tmp_path, ADMS["learned variance"][1], wrap)
    x = torch.randn(2, 3, SIDE, SIDE)
    torch.testing.assert_close(
        ours.net(x, torch.full((2,), 0.4), label).double(), net(x.double(), 399, label), rtol=0, atol=2e-3
    )
