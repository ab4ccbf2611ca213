"""The training of autoencoders."""

from collections.abc import Mapping
from typing import Literal, cast

import torch
from torch import Tensor

from samplerbench.data.dataset import Dataset, to_float
from samplerbench.methods import SpecError
from samplerbench.models import Autoencoder, AutoencoderConfig, Encoder, load, shipped
from samplerbench.models.autoencoder import Features
from samplerbench.models.kinds import facts_of
from samplerbench.training.loop import LabelledImages, Task
from samplerbench.training.modules import NETWORK, TrainedModules
from samplerbench.training.tasks import Inputs

KINDS = ("kl", "vq")
AUTOENCODERS = {f"autoencoder[kind={kind}]": cast(Literal["kl", "vq"], kind) for kind in KINDS}
BATCH = 256


def canonical(name: str) -> str:
    """The full name of an autoencoder; any other name as it is. Raises SpecError for an unknown kind of autoencoder."""
    text = "".join(name.split())
    if text.partition("[")[0] != "autoencoder":
        return name
    full = f"autoencoder[kind={KINDS[0]}]" if text == "autoencoder" else text
    if full not in AUTOENCODERS:
        raise SpecError(f"There is no {name!r}: an autoencoder is {' or '.join(AUTOENCODERS)}.")
    return full


def autoencoder_task(name: str, inputs: Inputs) -> Task:
    """The training of an autoencoder. New weights are drawn from torch's global generator."""
    dataset = inputs.dataset
    config = AutoencoderConfig(AUTOENCODERS[name], dataset.resolution, dataset.channels)
    net, features = Autoencoder(config).to(inputs.device), _features(dataset, inputs.device)

    def measured(weights: Mapping[str, Tensor]) -> dict[str, str]:
        trained = Autoencoder(config).to(inputs.device).eval()
        trained.load_state_dict(weights)
        return {"latent_scale": f"{1 / _spread(trained, inputs.labelled):.4g}"}

    return Task(
        TrainedModules({NETWORK: net}), lambda _, x, labels: net.loss(x, features), inputs.labelled,
        inputs.recorded(facts_of(net)), finish=measured,
    )  # fmt: skip


def _features(dataset: Dataset, device: torch.device) -> Features | None:
    """Those of the encoder that ships for the data, in which reconstructions are to be near; None without one."""
    file = shipped(dataset.slug, dataset.extractor)
    if not file.exists():
        return None
    net = load(file).network()
    return net.requires_grad_(False).to(device).features if isinstance(net, Encoder) else None


@torch.inference_mode()
def _spread(net: Autoencoder, data: LabelledImages) -> float:
    """The standard deviation of the latents of the training images."""
    return torch.cat([net.encode(to_float(part)) for part in data.images.split(BATCH)]).std().item()
