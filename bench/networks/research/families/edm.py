"""The pickles of EDM (arXiv 2206.00364): CIFAR-10, FFHQ, AFHQv2, ImageNet-64, and others trained with its code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samplerbench.methods import Between
from samplerbench.models.research.config import Config
from samplerbench.models.research.dhariwal_unet import DhariwalUNet, DhariwalUNetConfig
from samplerbench.models.research.preconditioning import (
    EDMPrecond,
    IDDPMPrecond,
    Precondition,
    Preconditioned,
    VEPrecond,
    VPPrecond,
)
from samplerbench.models.research.song_unet import SongUNet, SongUNetConfig
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.research.contents import Contents, module_weights
from samplerbench.networks.research.family import FAMILIES, Family, Found
from samplerbench.networks.research.pickled_values import Module
from samplerbench.networks.research.sigma_path import SigmaPath

CLASSES: Mapping[type, type[nn.Module]] = {SongUNetConfig: SongUNet, DhariwalUNetConfig: DhariwalUNet}


@FAMILIES.register("edm")
@dataclass(frozen=True)
class EDM(Family):
    """Pickles of EDM: an EDM, VP, VE or iDDPM preconditioning around a SongUNet or a DhariwalUNet.

    sigma_min, sigma_max: the noise levels to sample between, where the network does not narrow them.
    """

    sigma_min: Annotated[float, Between(1e-6, 1e6)] = 0.002
    sigma_max: Annotated[float, Between(1e-6, 1e6)] = 80.0

    networks: ClassVar[Mapping[str, type[Config]]] = {"SongUNet": SongUNetConfig, "DhariwalUNet": DhariwalUNetConfig}
    conventions: ClassVar[Mapping[str, type[Config]]] = {
        "EDMPrecond": EDMPrecond, "VPPrecond": VPPrecond, "VEPrecond": VEPrecond, "iDDPMPrecond": IDDPMPrecond,
    }  # fmt: skip

    @classmethod
    def fits(cls, contents):
        return contents.network is not None

    def read(self, contents: Contents) -> Found:
        outer = contents.network
        if outer is None:
            raise ValueError("it holds no pickled network, alone or as `ema`")
        inner = _inner(outer)
        return Found(_architecture(inner), self._precondition(outer), module_weights(outer))

    def _precondition(self, outer: Module) -> Config:
        kind = self.conventions[outer.kind]
        known = {name: value for name, value in outer.state.items() if name in kind.__dataclass_fields__}
        low, high = known.get("sigma_min", 0.0), known.get("sigma_max", float("inf"))
        if not all(type(level) in (int, float) for level in (low, high)):
            raise ValueError("its noise levels are no numbers")
        return kind.read(known | {"sigma_min": max(low, self.sigma_min), "sigma_max": min(high, self.sigma_max)})

    @staticmethod
    def module(network: Any, conventions: Precondition) -> nn.Module:
        return Preconditioned(CLASSES[type(network)](network), conventions)

    @staticmethod
    def record(module: nn.Module, network: Any, conventions: Precondition) -> ExternalNetwork:
        path, classes = SigmaPath(conventions.sigma_min, conventions.sigma_max), network.label_dim

        def sigma(t: Tensor) -> Tensor:
            return path.at(t.double()).sigma.flatten()

        def one_hot(label: Tensor) -> Tensor:
            """The null label, one more than the others, is zeros."""
            return F.one_hot(label, classes + 1)[:, :classes].to(torch.float32)

        return ExternalNetwork(
            module, path, "x0", (network.in_channels, network.img_resolution, network.img_resolution), time=sigma,
            classes=classes, null=classes if classes and network.label_dropout else None, label=one_hot,
        )  # fmt: skip


def _inner(outer: Module) -> Module:
    """The U-Net inside a preconditioning. Raises ValueError if it is one of another repository."""
    if outer.kind in EDM.conventions:
        model = outer.attribute("_modules", dict).get("model")
        if isinstance(model, Module) and model.kind in EDM.networks:
            return model
        held = f"{outer.kind} around {model.kind[:40] if isinstance(model, Module) else 'no network'}"
    else:
        held = outer.kind[:40]
    raise ValueError(
        f"it holds {held}, which is not supported: {', '.join(EDM.conventions)} around SongUNet or DhariwalUNet are, "
        "but not EDM2, IMM, SoFlow and others"
    )


def _architecture(inner: Module) -> Config:
    """The configuration of a U-Net, from the arguments that it was made with."""
    kind = EDM.networks[inner.kind]
    given, positional = inner.attribute("_init_kwargs", dict), inner.attribute("_init_args", tuple)
    named = dict(zip(kind.__dataclass_fields__, positional, strict=False))
    if len(named) < len(positional) or named.keys() & given.keys():
        raise ValueError(f"its {inner.kind} was made with an argument too many")
    return kind.read(named | given)
