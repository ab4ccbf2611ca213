"""Networks in the latents of an autoencoder: where that is, and how their states become images."""

from dataclasses import replace

import torch

from samplerbench.data.dataset import Dataset
from samplerbench.errors import InputError
from samplerbench.models import CheckpointError
from samplerbench.networks.checkpoints import CheckpointKey, load_network
from samplerbench.networks.latent_space import LatentSpace
from samplerbench.networks.loaded import LoadedNetwork

KINDS = ("kl", "vq")


def latent_space(base: Dataset, kind: str, folder: str | None, device: torch.device) -> LatentSpace:
    """The latents of a data set's autoencoder. Raises InputError if it is missing, CheckpointError if it is damaged."""
    if kind not in KINDS:
        raise InputError(f"There is no autoencoder of the kind {kind!r}: choose from {', '.join(KINDS)}.")
    checkpoint, origin = CheckpointKey.of(base, f"autoencoder[kind={kind}]").load(folder)
    autoencoder = checkpoint.autoencoder().requires_grad_(False).to(device)
    config = autoencoder.config
    if (config.resolution, config.image_channels) != (base.resolution, base.channels):
        raise CheckpointError(f"{checkpoint.path} was trained on other images than those of {base}: retrain it.")
    try:
        usable = float(origin.facts.latent_scale) > 0
    except ValueError:
        usable = False
    if not usable:
        raise CheckpointError(f"{checkpoint.path} does not record the scale of its latents: retrain it.")
    return LatentSpace(base, kind, autoencoder, origin, device)


def load_latent(
    recipe: str,
    space: LatentSpace,
    folder: str | None,
    dtype: torch.dtype = torch.float32,
    compiled: bool = False,
) -> LoadedNetwork:
    """The network of a recipe in a latent space, whose images are decoded. Raises InputError or CheckpointError."""
    loaded = load_network(recipe, space, folder, space.device, dtype, compiled)
    return in_images(loaded, space)


def in_images(loaded: LoadedNetwork, space: LatentSpace) -> LoadedNetwork:
    """A network of latents as one of images."""
    origin = replace(loaded.origin, digest=f"{loaded.origin.digest}+{space.origin.digest}")
    return replace(loaded, origin=origin, decode=space.decode, encode=space.encode)
