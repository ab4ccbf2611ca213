import pytest
import torch

from samplerbench.data.dataset import to_float
from samplerbench.networks.latent import latent_space

CPU = torch.device("cpu")


@pytest.fixture
def space(few, few_weights):
    return latent_space(few, "kl", str(few_weights), CPU)


def test_latents_of_training_images_have_a_standard_deviation_of_one(space):
    latents = space.load()
    assert latents.train.std().item() == pytest.approx(1, rel=1e-3)
    assert latents.train.shape[1:] == (space.channels, space.resolution, space.resolution) == (4, 7, 7)
    assert not latents.train.is_inference(), "networks are trained on them"


def test_the_scale_is_undone_before_decoding(space):
    images = to_float(space.base.load().test[:3])
    latents = space.encode(images)
    torch.testing.assert_close(latents, space.scale * space.autoencoder.encode(images))
    torch.testing.assert_close(space.decode(latents), space.autoencoder.reconstruct(images))


def test_latents_are_known_by_the_digest_of_their_images_and_have_their_labels(space):
    latents, images = space.load(), space.base.load()
    assert latents.digest == images.digest
    assert latents.pixels is images is images.pixels
    assert torch.equal(latents.test_labels, images.test_labels)
    assert latents.held_out_reference == images.held_out_reference


def test_it_names_itself_as_the_command_does(space):
    assert (space.slug, space.flags) == ("few/kl", "--dataset few --latent kl")
    assert space.latent == f"kl {space.origin.digest}"
