"""What samplers must know of a network, whoever trained it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor, nn

from samplerbench.methods.core.field import Field, Target
from samplerbench.methods.core.path import Path


class Parametrisation(Protocol):
    """A Recipe, or the record of a network trained elsewhere. It prints as the name of the network.

    path: the noise path. target: what the network predicts. outputs: its output channels per image channel.
    provides: its capabilities, from `capabilities.CAPABILITIES`.
    distilled: whether it takes finite steps, so that its probability-flow ODE is undefined.
    """

    @property
    def path(self) -> Path: ...

    @property
    def target(self) -> Target: ...

    @property
    def provides(self) -> frozenset[str]: ...

    @property
    def outputs(self) -> int: ...

    @property
    def distilled(self) -> bool: ...

    def modules(self) -> Mapping[str, nn.Module]:
        """The modules trained besides the network, by name."""

    def field(self, net: Callable[..., Tensor], modules: Mapping[str, nn.Module]) -> Field:
        """The field of a network of this kind."""
