"""DiTTransformer2DModel: class labels, latents, and mostly a learned variance (arXiv 2212.09748)."""

from pathlib import Path

from torch import Tensor, nn

from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.published.folder import component, load_module
from samplerbench.networks.published.latent import load_decoder
from samplerbench.networks.published.schedule import Schedule
from samplerbench.networks.published.unet import state_shape


class CalledDiT(nn.Module):
    """A DiTTransformer2DModel called as net(x, timestep, label)."""

    def __init__(self, transformer: nn.Module):
        super().__init__()
        self.transformer = transformer

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """The prediction for latents x (B, C, h, w), and as many channels for the variance."""
        return self.transformer(x, timestep=time, class_labels=label, return_dict=False)[0]


def dit_record(folder: Path, schedule: Schedule) -> ExternalNetwork:
    """The record of a DiT with the autoencoder beside it."""
    from diffusers import DiTTransformer2DModel

    transformer = load_module(DiTTransformer2DModel, component(folder, "transformer"))
    vae, decode = load_decoder(folder / "vae") if (folder / "vae").is_dir() else (None, None)
    classes = transformer.config.num_embeds_ada_norm
    return ExternalNetwork(
        CalledDiT(transformer), schedule.path, schedule.target, state_shape(transformer.config), time=schedule.time,
        classes=classes, null=classes, variance=transformer.config.out_channels == 2 * transformer.config.in_channels,
        decode=decode, parts=(vae,) if vae is not None else (),
    )  # fmt: skip
