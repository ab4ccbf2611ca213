"""Networks that `bench export` wrote, read back without running the code beside them."""

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from samplerbench.errors import InputError
from samplerbench.models import UNet, UNetConfig
from samplerbench.models.kinds import KINDS, build
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.published.folder import component, read_config
from samplerbench.networks.published.schedule import Schedule


class Timed(nn.Module):
    """A U-Net of ours called with the timesteps of a scheduler."""

    def __init__(self, unet: nn.Module, offset: float):
        super().__init__()
        self.unet, self.offset = unet, offset

    def forward(self, x: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """The prediction for states x (B, C, H, W)."""
        return self.unet(x, (time + self.offset) / 1000, label)


def exported_record(folder: Path, schedule: Schedule) -> ExternalNetwork:
    """The record of a network that `bench export` wrote. Raises InputError if it is damaged."""
    inside = component(folder, "unet")
    config = read_config(inside / "config.json")
    file = inside / "diffusion_pytorch_model.safetensors"
    try:
        weights = {key.removeprefix("unet."): value for key, value in load_file(file).items()}
        unet = build(KINDS["unet"], json.dumps(config["architecture"]), weights)
        offset = float(config["time_offset"])
        assert isinstance(unet, UNet)
        _check_inputs(unet.config)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{inside} does not hold a network that `bench export` wrote: {error}.") from error
    return _record(unet, unet.config, offset, schedule)


def _check_inputs(config: UNetConfig) -> None:
    """Raises ValueError for a network that cannot be called as diffusers calls one."""
    if config.interval or config.context or config.inputs:
        raise ValueError("it needs more than images, times and labels")


def _record(unet: UNet, config: UNetConfig, offset: float, schedule: Schedule) -> ExternalNetwork:
    return ExternalNetwork(
        Timed(unet, offset), schedule.path, schedule.target,
        (config.image_channels, config.resolution, config.resolution), time=schedule.time, classes=config.classes,
        null=config.classes or None,
    )  # fmt: skip
