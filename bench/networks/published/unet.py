"""UNet2DModel: pixels, without labels or with class labels."""

from pathlib import Path

from torch import Tensor, nn

from samplerbench.errors import InputError
from samplerbench.networks.external import ExternalNetwork, Shape
from samplerbench.networks.published.folder import component, load_module
from samplerbench.networks.published.schedule import Schedule


def unet_record(folder: Path, schedule: Schedule) -> ExternalNetwork:
    """The record of a UNet2DModel."""
    from diffusers import UNet2DModel

    unet = load_module(UNet2DModel, component(folder, "unet"))
    return ExternalNetwork(
        Called(unet), schedule.path, schedule.target, state_shape(unet.config), time=schedule.time,
        classes=unet.config.num_class_embeds or 0, variance=unet.config.out_channels == 2 * unet.config.in_channels,
    )  # fmt: skip


def state_shape(config) -> Shape:
    """(C, H, W) of the states of a diffusers network. Raises InputError if its configuration does not say."""
    size = config.sample_size
    if not size:
        raise InputError("The config.json of the network lacks sample_size, the side of its images: add it.")
    height, width = (size, size) if isinstance(size, int) else size
    return config.in_channels, height, width


class Called(nn.Module):
    """A UNet2DModel called as net(x, timestep, label)."""

    def __init__(self, unet: nn.Module):
        super().__init__()
        self.unet = unet

    def forward(self, x: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """The prediction for states x (B, C, H, W)."""
        return self.unet(x, time, class_labels=label, return_dict=False)[0]
