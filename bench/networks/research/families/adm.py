"""Guided-diffusion (ADM, arXiv 2105.05233): ImageNet at 64 to 512 pixels, and LSUN."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from torch import nn

from samplerbench.methods import Between
from samplerbench.models.research.adm_unet import ADMConfig, ADMUNet
from samplerbench.models.research.config import Config, Range
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.published.schedule import read_schedule
from samplerbench.networks.research.adm_shapes import architecture
from samplerbench.networks.research.family import FAMILIES, Family, Found

BETAS = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
# Image size by the channels of the levels, as multiples of the first or, at 512, of the second.
SIZES = {(1, 2, 3, 4): 64, (1, 1, 2, 3, 4): 128, (1, 1, 2, 2, 4, 4): 256, (0.5, 1, 1, 2, 2, 4, 4): 512}


@dataclass(frozen=True)
class ADMConventions(Config):
    """The chain that the network was trained on. It predicts eps, and the variance if it has twice the channels."""

    schedule: Literal["linear", "cosine"] = "linear"
    timesteps: Annotated[int, Range(2, 100_000)] = 1000


@FAMILIES.register("adm")
@dataclass(frozen=True)
class ADM(Family):
    """State dicts of guided-diffusion: its UNetModel, with or without classes and learned variance.

    The weights determine the rest; each option left out is that of the published model with the same levels.
    image_size: 64, 128, 256 or 512. schedule: cosine at 64, else linear. timesteps: of its chain.
    heads: 4 at 128; else heads of head_channels. order: of q, k and v: new at 64, else legacy.
    """

    image_size: Annotated[int | None, Between(1, 1024)] = None
    schedule: Literal["linear", "cosine"] | None = None
    timesteps: Annotated[int, Between(2, 100_000)] = 1000
    heads: Annotated[int | None, Between(1, 1024)] = None
    head_channels: Annotated[int | None, Between(1, 4096)] = None
    order: Literal["new", "legacy"] | None = None

    networks: ClassVar[Mapping[str, type[Config]]] = {"UNetModel": ADMConfig}
    conventions: ClassVar[Mapping[str, type[Config]]] = {"chain": ADMConventions}

    @classmethod
    def fits(cls, contents):
        return "time_embed.0.weight" in contents.names()

    def read(self, contents):
        weights = contents.weights()
        found = architecture(weights)
        size = self.image_size or SIZES.get(tuple(width / found["base"] for width in found["widths"]))
        if size is None:
            raise ValueError("its levels are of none of the published models: give its image size, adm[image_size=64]")
        heads = self.heads or (4 if size == 128 and not self.head_channels else 0)
        new = (self.order or ("new" if size == 64 else "legacy")) == "new"
        config = ADMConfig.read(
            found | {"image_size": size, "heads": heads, "head_channels": self.head_channels or 64, "split_first": new}
        )
        if config.out_channels not in (config.in_channels, 2 * config.in_channels):
            raise ValueError(
                f"it maps {config.in_channels} channels to {config.out_channels}: upsamplers and classifiers are not "
                "supported"
            )
        schedule = self.schedule or ("cosine" if size == 64 else "linear")
        return Found(config, ADMConventions(schedule, self.timesteps), weights)

    @staticmethod
    def module(network: ADMConfig, conventions: ADMConventions) -> nn.Module:
        return ADMUNet(network)

    @staticmethod
    def record(module: nn.Module, network: ADMConfig, conventions: ADMConventions) -> ExternalNetwork:
        betas: dict[str, Any] = {"beta_schedule": BETAS[conventions.schedule]}
        # Its linear betas are 1e-4 to 0.02 for 1000 timesteps, and in inverse proportion for other chains.
        scale = 1000 / conventions.timesteps
        betas |= {"beta_start": 1e-4 * scale, "beta_end": 0.02 * scale, "num_train_timesteps": conventions.timesteps}
        schedule = read_schedule({"_class_name": "guided-diffusion"} | betas)
        return ExternalNetwork(
            module, schedule.path, schedule.target, (network.in_channels, network.image_size, network.image_size),
            time=schedule.time, classes=network.classes, variance=network.out_channels == 2 * network.in_channels,
        )  # fmt: skip
