"""Guidance: wrappers of a Field that trade variety for fidelity to the class. A sampler does not know of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import hypot, inf, log
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from samplerbench.methods.core.coordinates import noise_ratio
from samplerbench.methods.core.field import Field, Prediction, weights
from samplerbench.methods.core.path import Moment, Path
from samplerbench.methods.core.plugin import Between, Plugin, Registry, SpecError
from samplerbench.methods.core.registry import METHODS

# Noisy images x / sqrt(alpha^2 + sigma^2) (B, C, H, W) and their log-SNRs (B,) -> logits (B, classes).
Classifier = Callable[[Tensor, Tensor], Tensor]
Strength = Annotated[float, Between(0, 1000)]
Level = Annotated[float, Between(0, inf)]
FAINT = 1e-3  # the alpha / sigma at which a classifier is asked where there is less signal


@dataclass(frozen=True)
class Aides:
    """What a guidance may need beside the field: the one that it names in `needs`.

    weak: a field of a weaker network, with the same labels.
    """

    classifier: Classifier | None = None
    weak: Field | None = None


class Guidance(Plugin, ABC):
    """A way to guide, between two noise levels sigma / alpha: low < sigma / alpha <= high (arXiv 2404.07724).

    labelled: whether it has no meaning for a network without classes.
    needs: what it asks for beside the field.
    neutral: the strength at which it does nothing, and costs nothing.
    """

    labelled: ClassVar[bool] = True
    needs: ClassVar[Literal["", "classifier", "weak"]] = ""
    neutral: ClassVar[float] = 1.0
    low: float
    high: float

    @property
    @abstractmethod
    def strength(self) -> float:
        """The weight or scale."""

    @abstractmethod
    def guide(self, field: Field, aides: Aides) -> "Blended | Steered":
        """The field to sample with in the place of `field`."""

    def __post_init__(self):
        super().__post_init__()
        if self.low >= self.high:
            raise SpecError(f"{self.name}: low must be below high, and {self.low} is not below {self.high}.")
        if self.strength == self.neutral and (self.low, self.high) != (0, inf):
            raise SpecError(
                f"{self.name}: low and high have no effect, since {self.strength:g} is no guidance; leave them out."
            )

    def at(self, now: Moment) -> float:
        """The strength at a moment: neutral outside the interval."""
        return self.strength if self.low < noise_ratio(now) <= self.high else self.neutral


GUIDANCES = Registry("guidance", Guidance, METHODS.names)


def get_guidance(spec: str) -> Guidance:
    """The guidance that a spec such as `cfg[weight=2]` describes; 2 is short for that. Raises SpecError."""
    try:
        weight = float(spec)
    except ValueError:
        return GUIDANCES.get(spec)
    return ClassifierFree(weight)


@dataclass(frozen=True)
class WeightedGuidance(Guidance, ABC):
    """One that moves from a worse prediction towards a better one, and beyond."""

    weight: Strength = field(default=2.0, metadata={"printed": True})
    low: Level = 0.0
    high: Level = inf

    strength = property(lambda self: self.weight)


@GUIDANCES.register("cfg")
@dataclass(frozen=True)
class ClassifierFree(WeightedGuidance):
    """p = p_null + weight (p_label - p_null): weight 1 is the conditional model, 0 the other (arXiv 2207.12598).

    low, high: it guides only where low < sigma / alpha <= high (arXiv 2404.07724). Two evaluations where it guides.
    """

    def __str__(self) -> str:
        """The weight alone where it guides everywhere, as it is given on the command line."""
        return f"{self.weight:.15g}" if (self.low, self.high) == (0, inf) else super().__str__()

    def guide(self, field, aides):
        return Blended(field, replace(field, label=None), self)


@GUIDANCES.register("auto")
@dataclass(frozen=True)
class AutoGuidance(WeightedGuidance):
    """p = p_weak + weight (p - p_weak), p_weak of a smaller network, trained less (arXiv 2406.02507).

    low, high: it guides only where low < sigma / alpha <= high. Two evaluations where it guides, one of them the weaker
    network's.
    """

    labelled = False
    needs = "weak"

    def guide(self, field, aides):
        return Blended(field, aides.weak, self)


@GUIDANCES.register("classifier")
@dataclass(frozen=True)
class ClassifierGuidance(Guidance):
    """score + scale grad log p(label | x_t), by a classifier of noisy images (arXiv 2105.05233, section 4).

    on: the score of the network without labels, which scale 1 turns into the conditional one, or with them.
    low, high: it guides only where low < sigma / alpha <= high. The classifier's gradient is no evaluation of the
    network, and is seen in the seconds alone.
    """

    scale: Strength = field(default=1.0, metadata={"printed": True})
    on: Literal["unconditional", "conditional"] = "unconditional"
    low: Level = 0.0
    high: Level = inf

    needs = "classifier"
    neutral = 0.0
    strength = property(lambda self: self.scale)

    def guide(self, field, aides):
        base = field if self.on == "conditional" else replace(field, label=None)
        return Steered(base, aides.classifier, field.label, self)


@dataclass(frozen=True)
class Blended:
    """A Field: bad + weight (good - bad), where a prediction whose share is 0 is not evaluated."""

    good: Field
    bad: Field
    guidance: Guidance

    @cached_property
    def path(self) -> Path:
        """That of both."""
        return self.good.path

    solver = property(lambda self: self.good.solver)

    def __call__(self, x: Tensor, now: Moment, then: Moment | None = None) -> Prediction:
        weight = self.guidance.at(now)
        if weight == 0:
            return self.bad(x, now, then)
        good = self.good(x, now, then)
        if weight == 1:
            return good
        # Every reading of a prediction is affine in p with the same x, so blending one of them blends all.
        return replace(good, p=torch.lerp(self.bad(x, now, then).p, good.p, weight))


@dataclass(frozen=True)
class Steered:
    """A Field whose score gains scale grad log p(label | x_t)."""

    field: Field
    classifier: Classifier
    label: Tensor
    guidance: Guidance

    @cached_property
    def path(self) -> Path:
        """That of the field."""
        return self.field.path

    solver = property(lambda self: self.field.solver)

    def __call__(self, x: Tensor, now: Moment, then: Moment | None = None) -> Prediction:
        prediction, scale = self.field(x, now, then), self.guidance.at(now)
        if not scale or not now.sigma:
            return prediction
        # eps loses sigma g and x0 gains sigma^2 / alpha g, since x stays: p = a x0 + b eps moves by both. The gradient
        # g fades with the signal, so that sigma^2 / alpha g has a limit, which is read where there is still a little.
        ratio = max(now.alpha / now.sigma, FAINT)
        a, b = weights(prediction.target, now)
        gradient = log_gradient(self.classifier, x / hypot(now.alpha, now.sigma), 2 * log(ratio), self.label)
        factor = scale * now.sigma / hypot(now.alpha, now.sigma) * (a / ratio - b)
        return replace(prediction, p=torch.add(prediction.p, gradient, alpha=factor))


def log_gradient(classifier: Classifier, x: Tensor, log_snr: float, label: Tensor) -> Tensor:
    """grad_x log p(label | x) (B, C, H, W), each image by itself."""
    with torch.inference_mode(False), torch.enable_grad():
        x = x.detach().clone().requires_grad_()
        levels = torch.full((len(x),), log_snr, dtype=x.dtype, device=x.device)
        log_p = classifier(x, levels).log_softmax(1)
        # Not autograd.grad, under which PyTorch's FLOP counter cannot count.
        log_p.gather(1, label.clone()[:, None]).sum().backward()
        return x.grad
