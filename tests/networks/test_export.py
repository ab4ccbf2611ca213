"""What `bench export` writes is sampled by diffusers to the same images, and read back by us."""

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from diffusers import DDIMPipeline, DDPMPipeline
from safetensors.torch import save_file

from samplerbench.data.dataset import DATASETS
from samplerbench.errors import InputError
from samplerbench.methods import Sampler, get
from samplerbench.models import UNet
from samplerbench.networks.checkpoints import load_network, random_network
from samplerbench.networks.model import get_model, load_model
from samplerbench.networks.published.export import export

CPU = torch.device("cpu")


def network_of(recipe: str):
    if recipe in ("v_cosine", "edm"):  # whose weights are not shipped
        network = random_network(recipe, "digits", CPU, torch.float32)
        torch.manual_seed(0)
        torch.nn.init.normal_(network.eager.conv_out.weight, std=0.1)  # it starts at zero
        return network
    return load_network(recipe, DATASETS.get("digits"), None, CPU)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    for recipe in ("ddpm", "v_cosine", "flow"):
        export(network_of(recipe), "digits", folder / recipe)
    return folder


@pytest.mark.parametrize(
    ("recipe", "pipeline", "method", "grid"),
    [
        ("ddpm", DDIMPipeline, "ddim", "leading"), ("v_cosine", DDIMPipeline, "ddim", "leading"),
        ("flow", DDPMPipeline, "flow", "shifted[shift=1.0,last=0.001]"),
    ],
)  # fmt: skip
@torch.inference_mode()
def test_diffusers_samples_the_same_images(exported, recipe, pipeline, method, grid):
    loaded = pipeline.from_pretrained(exported / recipe, trust_remote_code=True)
    loaded.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(4)
    theirs = loaded(batch_size=3, num_inference_steps=10, generator=generator, output_type="np").images
    ours, noise = network_of(recipe), torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(4))
    sampler = Sampler(get(method), 10, grid, trained=ours.parametrisation)
    images = sampler.sample(ours.field(ours.net), noise, torch.zeros_like)
    shown = (images / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(shown, theirs.reshape(shown.shape), atol=1e-4)


@pytest.mark.parametrize("recipe", ["ddpm", "flow"])
@torch.inference_mode()
def test_we_read_it_back(exported, recipe):
    again, ours = load_model(get_model(f"diffusers:{exported / recipe}"), CPU, torch.float32), network_of(recipe)
    x, t, label = torch.randn(2, 1, 8, 8), torch.tensor([0.3, 0.7]), torch.tensor([1, 9])
    torch.testing.assert_close(again.net(x, t, label), ours.net(x, t, label), atol=1e-4, rtol=0)
    torch.testing.assert_close(again.net(x, t), ours.net(x, t), atol=1e-4, rtol=0)
    assert (again.target, again.classes, again.image_shape) == (ours.target, ours.classes, ours.image_shape)
    assert "unlabelled" in again.provides


def test_the_card_says_what_it_is(exported):
    card = (exported / "ddpm" / "README.md").read_text()
    assert "trust_remote_code=True" in card
    assert network_of("ddpm").origin.digest in card
    assert "$" not in card


@pytest.mark.parametrize(("recipe", "reason"), [("edm", "diffusers has no scheduler"), ("meanflow", "no place for it")])
def test_what_no_scheduler_fits_is_refused(tmp_path, recipe, reason):
    with pytest.raises(InputError, match=reason):
        export(network_of(recipe), "digits", tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("condition", [{"context": 8}, {"context": 8, "vocabulary": 5}, {"inputs": 1}])
def test_a_network_with_other_conditions_is_neither_written_nor_read(exported, tmp_path, condition):
    ours = network_of("ddpm")
    unet = UNet(replace(ours.eager.config, **condition))
    with pytest.raises(InputError, match="more than a network of x, t and a label"):
        export(replace(ours, eager=unet), "digits", tmp_path / "refused")

    shutil.copytree(exported / "ddpm", tmp_path / "ddpm")
    inside = tmp_path / "ddpm" / "unet"
    config = json.loads((inside / "config.json").read_text()) | {"architecture": asdict(unet.config)}
    (inside / "config.json").write_text(json.dumps(config))
    weights = {f"unet.{key}": value for key, value in unet.state_dict().items()}
    save_file(weights, inside / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="it needs more than images, times and labels"):
        load_model(get_model(f"diffusers:{tmp_path / 'ddpm'}"), CPU, torch.float32)
