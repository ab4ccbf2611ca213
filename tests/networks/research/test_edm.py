"""EDM's pickles, read without their code, give the images of a reference that is written from the formulas."""

from collections import deque
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from samplerbench.methods import Sampler, get
from samplerbench.networks.model import get_model, load_model
from samplerbench.networks.research.imported import import_file
from samplerbench.regression.golden.figure import read_figures
from samplerbench.regression.golden.places import Places
from samplerbench.regression.golden.run import missing, outcome, session
from samplerbench.regression.golden.verdict import suspects

STEPS, SIDE, CLASSES = 5, 8, 10
SONG = {
    "kind": "SongUNet", "img_resolution": SIDE, "in_channels": 3, "out_channels": 3, "label_dim": 0, "augment_dim": 9,
    "model_channels": 16, "channel_mult": [2, 2], "num_blocks": 1, "attn_resolutions": [4], "dropout": 0.13,
}  # fmt: skip
NCSN = SONG | {
    "channel_mult": [1, 2, 2], "embedding_type": "fourier", "channel_mult_noise": 2, "encoder_type": "residual",
    "decoder_type": "standard", "resample_filter": [1, 3, 3, 1],
}  # fmt: skip
ADM = SONG | {"kind": "DhariwalUNet", "model_channels": 32, "channel_mult": [1, 4], "label_dim": CLASSES}
UNETS = {
    "ddpm++": SONG, "ddpm++ with classes": SONG | {"label_dim": CLASSES}, "ncsn++": NCSN,
    "ncsn++ with classes": NCSN | {"label_dim": CLASSES},
    "skip": NCSN | {"encoder_type": "skip", "decoder_type": "skip"}, "adm": ADM,
    "adm with a null class": ADM | {"label_dropout": 0.1},
}  # fmt: skip


def edm(sigma):
    total = sigma**2 + 0.25
    return 0.25 / total, 0.5 * sigma / sqrt(total), 1 / sqrt(total), torch.log(torch.tensor(sigma)) / 4


def vp(sigma):
    time = (sqrt(0.01 + 2 * 19.9 * torch.log(torch.tensor(1 + sigma**2, dtype=torch.float64)).item()) - 0.1) / 19.9
    return 1, -sigma, 1 / sqrt(sigma**2 + 1), 999 * time


def ve(sigma):
    return 1, sigma, 1, torch.log(torch.tensor(sigma / 2))


def iddpm(sigma):
    index = min(range(CHAIN + 1), key=lambda i: abs(LEVELS[i].item() - sigma))
    return 1, -sigma, 1 / sqrt(sigma**2 + 1), CHAIN - 1 - index


CHAIN = 8
LEVELS = torch.linspace(60, 0, CHAIN + 1)
# (coefficients, attributes, noise levels of EDM's sampler: those that the network narrows)
PRECONDITIONS = {
    "EDMPrecond": (edm, {"sigma_min": 0, "sigma_max": float("inf"), "sigma_data": 0.5}, (0.002, 80)),
    "VPPrecond": (vp, {"sigma_min": 0.001, "sigma_max": 152.2, "beta_d": 19.9, "beta_min": 0.1, "M": 1000},
                  (0.002, 80)),
    "VEPrecond": (ve, {"sigma_min": 0.02, "sigma_max": 100}, (0.02, 80)),
    "iDDPMPrecond": (iddpm, {"sigma_min": 0.0064, "sigma_max": 20291.0, "M": CHAIN, "C_1": 0.001, "C_2": 0.008},
                     (0.0064, 80)),
}  # fmt: skip


def made(reference, options, precondition, folder, protocol=4, family=None):
    """A random network: its reference as denoise(x, sigma, label), and its imported file."""
    coefficients, attributes, levels = PRECONDITIONS[precondition]
    options = options | {"out_channels": 6 if precondition == "iDDPMPrecond" else 3}
    weights = reference.Weights("model.")

    def denoise(x, sigma, label):
        skip, out, scale, noise = coefficients(sigma)
        noise = torch.full((len(x),), float(noise), dtype=torch.float64)
        return skip * x + out * reference.edm_unet(weights, options, scale * x, noise, label)[:, :3]

    label = torch.eye(CLASSES).double()[[3, 7]] if options["label_dim"] else None
    denoise(torch.zeros(2, 3, SIDE, SIDE).double(), 1.0, label)  # makes the weights
    if precondition == "iDDPMPrecond":
        weights["u"] = LEVELS
    arguments = {name: value for name, value in options.items() if name != "kind"}
    source = f"open({str(folder / 'canary')!r}, 'w')"  # runs wherever the source in a pickle is executed
    outer = reference.Persistent(precondition, source, {"img_resolution": SIDE, "img_channels": 3}, **attributes)
    outer.add_module("model", reference.Persistent(options["kind"], source, arguments))
    data = {"ema": reference.tree(outer, weights), "loss_fn": reference.Persistent("EDMLoss", source, {})}
    (folder / "net.pkl").write_bytes(reference.pickled(data, protocol))
    imported = import_file(folder / "net.pkl", family, folder / "net.safetensors")
    assert imported.family == (family or "edm")
    assert not (folder / "canary").exists()
    ours = load_model(get_model(str(folder / "net.safetensors")), torch.device("cpu"), torch.float32)
    return SimpleNamespace(denoise=denoise, label=label, levels=levels, ours=ours)


def heun(denoise, z, label, low, high):
    """EDM's algorithm 2 without churn, in float64, ending at 0."""
    rho = 7
    levels = [(high ** (1 / rho) + i / (STEPS - 1) * (low ** (1 / rho) - high ** (1 / rho))) ** rho
              for i in range(STEPS)] + [0.0]  # fmt: skip
    x = z.double() * levels[0]
    for now, then in pairwise(levels):
        slope = (x - denoise(x, now, label)) / now
        end = x + (then - now) * slope
        if then:
            end = x + (then - now) * (slope + (end - denoise(end, then, label)) / then) / 2
        x = end
    return x


def assert_same(ours, theirs):
    """Within 1e-5, or of the largest number where that is above 1: random networks make no images in [-1, 1]."""
    torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=1e-5 * max(1.0, theirs.abs().max().item()))


@pytest.mark.parametrize("name", UNETS)
@torch.inference_mode()
def test_images_are_those_of_the_reference(reference, tmp_path, name):
    net = made(reference, UNETS[name], "EDMPrecond", tmp_path)
    z = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    label = torch.tensor([3, 7]) if net.label is not None else None
    sampler = Sampler(get("heun"), STEPS, "karras", trained=net.ours.parametrisation)
    images = sampler.sample(net.ours.field(net.ours.net, label), z, torch.zeros_like)
    theirs = heun(net.denoise, z, net.label, *net.levels)
    assert theirs.std() > 0.2
    assert_same(images, theirs)


@pytest.mark.parametrize("precondition", PRECONDITIONS)
@torch.inference_mode()
def test_every_preconditioning_denoises_as_its_formula(reference, tmp_path, precondition):
    net = made(reference, SONG, precondition, tmp_path)
    path, record = net.ours.path, net.ours.external
    assert (path.sigma_min, path.sigma_max) == net.levels
    for sigma in (net.levels[0], 0.3, 7.0, net.levels[1]):
        x = sigma * torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
        t = path.time_at(torch.full((2,), -2.0).double() * torch.tensor(sigma).double().log())
        assert_same(record.time(t), torch.full((2,), sigma).double())
        assert_same(net.ours.net(x, t, None), net.denoise(x.double(), sigma, None))


def test_noise_ends_at_zero_and_its_derivative_is_the_difference_quotient(reference, tmp_path):
    path = made(reference, SONG, "EDMPrecond", tmp_path).ours.path
    first, last = path.along(torch.tensor([0.0, 1.0]))
    assert (first.sigma, last.sigma, path.prior_std) == (0.0, pytest.approx(80.0, rel=1e-12), 80.0)
    assert path.along(torch.tensor([path.t_min], dtype=torch.float64))[0].sigma == pytest.approx(0.002, rel=1e-9)
    before, now, after = path.along(torch.tensor([0.5 - 1e-6, 0.5, 0.5 + 1e-6], dtype=torch.float64))
    assert now.d_sigma == pytest.approx((after.sigma - before.sigma) / 2e-6, rel=1e-6)


@torch.inference_mode()
def test_no_solver_evaluates_it_without_noise(reference, tmp_path):
    """There, at t = 0, the network is not defined; the times of `uniform` suit it nearly as well as EDM's."""
    net = made(reference, SONG, "EDMPrecond", tmp_path)
    z = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))

    def images(method, steps, grid):
        sampler = Sampler(get(method), steps, grid, trained=net.ours.parametrisation)
        return sampler.sample(net.ours.field(net.ours.net, None), z, torch.zeros_like)

    exact = images("heun", 30, "karras")
    for method, steps in (("flow[solver=heun]", 20), ("flow[solver=dopri5,rtol=1e-3,atol=1e-3]", None), ("ddim", 30)):
        error = (images(method, steps, None) - exact).square().mean().sqrt()
        assert error < 0.2 * exact.std(), method


@torch.inference_mode()
def test_a_generator_of_sid_is_called_once(reference, tmp_path):
    net = made(reference, UNETS["ddpm++ with classes"], "EDMPrecond", tmp_path, family="sid")
    z = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    sampler = Sampler(get("consistency"), 1, None, trained=net.ours.parametrisation)
    images = sampler.sample(net.ours.field(net.ours.net, torch.tensor([3, 7])), z, torch.zeros_like)
    assert_same(images, net.denoise(2.5 * z.double(), 2.5, net.label))
    assert "ode" not in net.ours.provides


@torch.inference_mode()
def test_the_null_label_is_zeros(reference, tmp_path):
    net = made(reference, UNETS["adm with a null class"], "EDMPrecond", tmp_path)
    x, t = torch.randn(2, 3, SIDE, SIDE), torch.full((2,), 0.5)
    sigma = net.ours.external.time(t)[0].item()
    assert {"labels", "unlabelled"} <= net.ours.provides
    assert_same(net.ours.net(x, t), net.denoise(x.double(), sigma, torch.zeros(2, CLASSES).double()))


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_protocols(reference, tmp_path, protocol):
    made(reference, SONG, "EDMPrecond", tmp_path, protocol)


def test_a_published_figure_is_measured_from_its_files(reference, tmp_path):
    """Imported, sampled on its grid with the published evaluations, and compared with published statistics."""
    figure = next(each for each in read_figures() if each.name == "imagenet64-ipndm-10")
    small = {"samples": 8, "metrics": "fd[encoder=pixels]", "batch_size": 8}
    figure = replace(figure, options={**figure.options, **small}, column="fd", bounds=(0, 1e9))
    places = Places(tmp_path, tmp_path, download=True, output=tmp_path / "out")
    assert len(missing(figure, places)) == 2

    net = made(reference, SONG, "EDMPrecond", tmp_path)
    (tmp_path / "net.pkl").rename(tmp_path / figure.checkpoint.file)
    assert net.ours.classes == 0
    pixels = 3 * SIDE**2
    np.savez(tmp_path / figure.data.place, mu=np.zeros(pixels), sigma=np.eye(pixels))
    assert missing(figure, places) == []
    opened = session(figure, places)
    deque(opened.execute(), maxlen=0)
    found = outcome(figure, opened)
    assert (found.verdict, found.row["nfe"], found.row["grid"]) == ("met", 10, "karras[end=0.002]")
    assert suspects(found)["reference"][0]
    opened.store.rows["older"] = {"status": "failed", "error": "of other code"}
    assert outcome(figure, opened).verdict == "met"
    assert (tmp_path / figure.checkpoint.file).with_suffix(".safetensors").exists()
