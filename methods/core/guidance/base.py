"""Guidance wraps a Field to trade diversity for fidelity to the class; samplers are unaware of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import Module

from samplerbench.methods.core.coordinates import noise_ratio
from samplerbench.methods.core.discovery import load_plugins
from samplerbench.methods.core.field import Field, Prediction
from samplerbench.methods.core.path import Moment, Path
from samplerbench.methods.core.plugin import Between, Plugin, Registry, SpecError

# Noisy images x / sqrt(alpha^2 + sigma^2) (B, C, H, W) and their log-SNRs (B,) -> logits (B, classes).
Classifier = Callable[[Tensor, Tensor], Tensor]
Strength = Annotated[float, Between(0, 1000)]
Level = Annotated[float, Between(0, inf)]


@dataclass(frozen=True)
class Guides:
    """The networks that guidances use besides the field. A guidance names the one it uses in `needs`.

    classifier: a classifier of noisy images.
    weak: the field of a weaker network, with the same labels.
    """

    classifier: Classifier | None = None
    weak: Field | None = None


class GuidedField(ABC):
    """A field whose predictions are guided. It has the path and the modules of the field it wraps."""

    field: Field

    @property
    def path(self) -> Path:
        """The path of the wrapped field."""
        return self.field.path

    @property
    def modules(self) -> Mapping[str, Module]:
        """The modules of the wrapped field."""
        return self.field.modules

    @abstractmethod
    def __call__(self, x: Tensor, now: Moment, then: Moment | None = None) -> Prediction:
        """The guided prediction at the state x (B, C, H, W) and the moment `now`; arguments as in `Field`."""


class Guidance(Plugin, ABC):
    """A guidance that is active where low < sigma / alpha <= high (arXiv 2404.07724).

    requires: the capabilities it needs of the network, from `capabilities.CAPABILITIES`.
    needs: the other network it uses, an attribute of `Guides`; "" for none.
    neutral: the strength that leaves predictions unchanged and costs no evaluations.
    Raises SpecError for low >= high, and for an interval without effect.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"labels"})
    needs: ClassVar[Literal["", "classifier", "weak"]] = ""
    neutral: ClassVar[float] = 1.0
    low: float
    high: float

    @property
    @abstractmethod
    def strength(self) -> float:
        """The weight or scale."""

    @abstractmethod
    def guide(self, field: Field, guides: Guides) -> GuidedField:
        """The guided field to sample from instead of `field`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low >= self.high:
            raise SpecError(f"{self.name}: low must be below high, but {self.low} is not below {self.high}.")
        if self.strength == self.neutral and (self.low, self.high) != (0, inf):
            raise SpecError(
                f"{self.name}: low and high have no effect, since {self.strength:g} is no guidance; leave them out."
            )

    def at(self, now: Moment) -> float:
        """The strength at the moment `now`; neutral outside the interval."""
        return self.strength if self.low < noise_ratio(now) <= self.high else self.neutral


GUIDANCES: Registry[Guidance] = Registry("guidance", Guidance, load_plugins)


def get_guidance(spec: str) -> Guidance:
    """The guidance described by a spec such as `cfg[weight=2]`, or `2` for short. Raises SpecError if it is invalid."""
    try:
        weight = float(spec)
    except ValueError:
        return GUIDANCES.get(spec)
    return replace(GUIDANCES.get("cfg"), weight=weight)


@dataclass(frozen=True)
class WeightedGuidance(Guidance, ABC):
    """A guidance that extrapolates from a worse prediction through a better one and beyond it."""

    weight: Strength = field(default=2.0, metadata={"printed": True})
    low: Level = 0.0
    high: Level = inf

    strength = property(lambda self: self.weight)


@dataclass(frozen=True)
class Extrapolated(GuidedField):
    """worse + weight (field - worse). A prediction with a zero coefficient is not evaluated."""

    field: Field
    worse: Field
    guidance: Guidance

    def __call__(self, x, now, then=None):
        weight = self.guidance.at(now)
        if weight == 0:
            return self.worse(x, now, then)
        better = self.field(x, now, then)
        if weight == 1:
            return better
        # All readings of a prediction are affine in p, with the same x, so extrapolating p extrapolates all of them.
        return replace(better, p=torch.lerp(self.worse(x, now, then).p, better.p, weight))
