"""torchcfm (conditional flow matching, arXiv 2302.00482): its CIFAR-10 networks, and others of its UNetModelWrapper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from torch import nn

from samplerbench.methods import Between, Linear
from samplerbench.models.research.adm_unet import ADMConfig, ADMUNet
from samplerbench.models.research.config import Config
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.research.adm_shapes import architecture
from samplerbench.networks.research.family import FAMILIES, Family, Found

PARALLEL = "module."  # what DataParallel puts before the names


@dataclass(frozen=True)
class CFMConventions(Config):
    """None that could differ: the velocity of the straight path, in a time that is 1 at the data."""


@FAMILIES.register("torchcfm")
@dataclass(frozen=True)
class TorchCFM(Family):
    """State dicts of torchcfm: its UNetModelWrapper, trained by flow matching on the straight path.

    image_size: of its images. heads: of attention; else heads of head_channels, as on CIFAR-10. weights: which of those
    in the file, the averaged ones or the last.
    """

    image_size: Annotated[int, Between(1, 1024)] = 32
    heads: Annotated[int | None, Between(1, 1024)] = None
    head_channels: Annotated[int, Between(1, 4096)] = 64
    weights: Literal["ema_model", "net_model"] = "ema_model"

    networks: ClassVar[Mapping[str, type[Config]]] = {"UNetModelWrapper": ADMConfig}
    conventions: ClassVar[Mapping[str, type[Config]]] = {"flow": CFMConventions}

    @classmethod
    def fits(cls, contents):
        names = contents.names("ema_model")
        return any(name.removeprefix(PARALLEL) == "time_embed.0.weight" for name in names)

    def read(self, contents):
        weights = {name.removeprefix(PARALLEL): value for name, value in contents.weights(self.weights).items()}
        options = {"image_size": self.image_size, "heads": self.heads or 0, "head_channels": self.head_channels}
        config = ADMConfig.read(architecture(weights) | options)
        if config.out_channels != config.in_channels:
            raise ValueError(f"it maps {config.in_channels} channels to {config.out_channels}, which is no velocity")
        return Found(config, CFMConventions(), weights)

    @staticmethod
    def module(network: ADMConfig, conventions: CFMConventions) -> nn.Module:
        return ADMUNet(network)

    @staticmethod
    def record(module: nn.Module, network: ADMConfig, conventions: CFMConventions) -> ExternalNetwork:
        return ExternalNetwork(
            module, Linear(), "velocity", (network.in_channels, network.image_size, network.image_size),
            time=lambda t: 1 - t, sign=-1, classes=network.classes,
        )  # fmt: skip
