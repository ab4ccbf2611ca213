"""A family of research checkpoints: how its files are read, and what its networks predict. One file in `families`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from samplerbench.methods import Plugin, Registry, import_files, load_entry_points
from samplerbench.models.research.config import Config
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.research.contents import Contents


@dataclass(frozen=True)
class Found:
    """What a family finds in a file. network, conventions: configurations, of which the family knows the classes."""

    network: Config
    conventions: Config
    weights: Mapping[str, Tensor]


class Family(Plugin, ABC):
    """A family. Its options say what a file does not determine.

    networks: the configurations of its networks, by the name that imported files record. conventions: those of what
    the networks predict, likewise.
    """

    networks: ClassVar[Mapping[str, type[Config]]]
    conventions: ClassVar[Mapping[str, type[Config]]]

    @classmethod
    @abstractmethod
    def fits(cls, contents: Contents) -> bool:
        """Whether a file looks like one of this family, without further reading."""

    @abstractmethod
    def read(self, contents: Contents) -> Found:
        """The network in a file. Raises ValueError, with the reason, or InputError if there is none."""

    @staticmethod
    @abstractmethod
    def module(network: Any, conventions: Any) -> nn.Module:
        """The network of these configurations, with any weights."""

    @staticmethod
    @abstractmethod
    def record(module: nn.Module, network: Any, conventions: Any) -> ExternalNetwork:
        """The record of the network."""


def _load_families() -> None:
    import_files("samplerbench.networks.research.families")
    load_entry_points()


FAMILIES: Registry[Family] = Registry("family", Family, _load_families)
