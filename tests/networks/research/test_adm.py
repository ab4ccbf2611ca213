"""State dicts of guided-diffusion and torchcfm give the images of a reference written from the formulas."""

from hashlib import sha256
from math import cos, pi
from pathlib import Path

import pytest
import torch

from samplerbench.methods import Sampler, get
from samplerbench.models.kinds import Uninitialised
from samplerbench.models.research.adm_unet import ADMConfig, ADMUNet
from samplerbench.networks.model import get_model, load_model
from samplerbench.networks.research.contents import Contents
from samplerbench.networks.research.family import FAMILIES
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


# The published models of guided-diffusion at full size: (architecture, schedule, published millions of parameters).
PUBLISHED = {
    64: (ADMConfig(64, 3, 6, 192, (192, 384, 576, 768), 3, (1, 2, 3), 1000, split_first=True), "cosine", 296),
    128: (ADMConfig(128, 3, 6, 256, (256, 256, 512, 768, 1024), 2, (2, 3, 4), 1000, heads=4), "linear", 422),
    256: (ADMConfig(256, 3, 6, 256, (256, 256, 512, 512, 1024, 1024), 2, (3, 4, 5), 1000), "linear", 554),
    512: (ADMConfig(512, 3, 6, 256, (128, 256, 256, 512, 512, 1024, 1024), 2, (4, 5, 6), 1000), "linear", 559),
}  # fmt: skip


@pytest.mark.parametrize("size", PUBLISHED)
def test_a_published_model_is_recognised_by_the_shapes_of_its_weights(size):
    architecture, schedule, millions = PUBLISHED[size]
    with torch.device("meta"), Uninitialised():
        weights = ADMUNet(architecture).state_dict()
    assert round(sum(value.numel() for value in weights.values()) / 1e6) == millions
    found = FAMILIES.get("adm").read(Contents(Path("net.pt"), weights))
    assert (found.network, found.conventions.schedule) == (architecture, schedule)


def test_the_network_of_torchcfm_is_recognised_and_has_its_size():
    """35.8 million parameters with torchcfm's options for CIFAR-10."""
    architecture = ADMConfig(32, 3, 3, 128, (128, 256, 256, 256), 2, (1,), scale_shift=False, residual_resampling=False)
    with torch.device("meta"), Uninitialised():
        weights = ADMUNet(architecture).state_dict()
    assert sum(value.numel() for value in weights.values()) / 1e6 == pytest.approx(35.75, abs=0.01)
    assert FAMILIES.get("torchcfm").read(Contents(Path("net.pt"), {"ema_model": weights})).network == architecture


def test_the_record_of_an_import_is_read_back(reference, tmp_path):
    weights, options = reference.Weights(), ADM | {"widths": [32, 64, 96, 128], "classes": 0, "blocks": 1}
    reference.adm_unet(weights, options, torch.zeros(1, 3, 8, 8).double(), torch.zeros(1).double())
    torch.save(dict(weights), tmp_path / "net.pt")
    found = import_file(tmp_path / "net.pt", None, tmp_path / "net.safetensors")
    assert Imported.read(found.json) == found
    assert (found.family, found.network.image_size, found.source) == ("adm", 64, "net.pt")
    assert found.sha256 == sha256((tmp_path / "net.pt").read_bytes()).hexdigest()


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
