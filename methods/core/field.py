"""The conversion between what a network predicts and what a sampler needs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import Module

from samplerbench.methods.core.path import Coefficient, Moment, Path

Target = Literal["x0", "eps", "v", "velocity", "score"]


def weights(target: Target, now: Moment) -> tuple[Coefficient, Coefficient]:
    """(a, b) of the prediction p = a x0 + b eps that `target` names."""
    if target == "x0":
        return 1.0, 0.0
    if target == "eps":
        return 0.0, 1.0
    if target == "v":
        return -now.sigma, now.alpha
    if target == "velocity":
        return now.d_alpha, now.d_sigma
    return 0.0, -1 / now.sigma  # score


def combination(coefficients: Sequence[float], tensors: Sequence[Tensor]) -> Tensor:
    """sum_i c_i x_i in one operation per term. Terms with a zero coefficient and a first factor of 1 cost nothing.

    So the result may be one of the tensors itself.
    """
    terms = [(c, x) for c, x in zip(coefficients, tensors, strict=True) if c]
    if not terms:
        return torch.zeros_like(tensors[0])
    (c, total), *rest = terms
    total = total if c == 1 else total * c
    for c, x in rest:
        total = torch.add(total, x, alpha=c)
    return total


@dataclass(frozen=True, slots=True)
class Prediction:
    """The result of one network call, readable in every parametrisation.

    With x = alpha x0 + sigma eps and p = a x0 + b eps, any a' x0 + b' eps is a linear combination of x and p:
    ((a' b - b' a) x + (alpha b' - sigma a') p) / (alpha b - sigma a).
    """

    x: Tensor  # (B, C, H, W), the state
    p: Tensor  # (B, C, H, W), the network's output
    now: Moment
    target: Target
    extra: Tensor | None = None  # (B, ., H, W), further output channels, if any

    def read(self, target: Target) -> Tensor:
        """The prediction as `target` (B, C, H, W)."""
        if target == self.target:
            return self.p
        return self.mix(*weights(target, self.now))

    def mix(self, a_: Coefficient, b_: Coefficient) -> Tensor:
        """a' x0 + b' eps (B, C, H, W). With (alpha, sigma) of another time, this is the DDIM step to that time."""
        a, b = weights(self.target, self.now)
        _, alpha, sigma, _, _ = self.now
        det = alpha * b - sigma * a
        of_x, of_p = (a_ * b - b_ * a) / det, (alpha * b_ - sigma * a_) / det
        if isinstance(of_x, Tensor):
            return of_x * self.x + of_p * self.p
        return combination((of_x, of_p), (self.x, self.p))

    x0 = property(lambda self: self.read("x0"))
    eps = property(lambda self: self.read("eps"))
    v = property(lambda self: self.read("v"))
    velocity = property(lambda self: self.read("velocity"))
    score = property(lambda self: self.read("score"))

    def clipped(self) -> "Prediction":
        """The same state with x0 clipped to [-1, 1]; eps and the other readings follow from the clipped x0."""
        return Prediction(self.x, self.x0.clamp(-1, 1), self.now, "x0", self.extra)


@dataclass(frozen=True)
class Field:
    """A network on a path, called as net(x, t), net(x, t, label) with labels, or net(x, t, label, s) on intervals.

    net: maps states x (B, C, H, W), times t (B,), labels (B,) and end times s (B,) to predictions (B, C, H, W); further
        output channels become the prediction's `extra`.
    target: what the network predicts.
    label: class labels (B,), the default for every call.
    interval: whether the network is conditioned on (t, s); a call without an end time uses s = t.
    modules: the modules that the recipe trained besides the network, by name (see `Recipe.modules`).
    """

    net: Callable[..., Tensor]
    path: Path
    target: Target
    label: Tensor | None = None
    interval: bool = False
    modules: Mapping[str, Module] = field(default_factory=dict)

    def __call__(self, x: Tensor, now: Moment, then: Moment | None = None, label: Tensor | None = None) -> Prediction:
        """Evaluate the network once.

        x: the state (B, C, H, W) at the moment `now`. then: the end of the interval, for networks that take intervals.
        label: class labels (B,) instead of the field's own.
        """
        label = self.label if label is None else label
        then = now if then is None and self.interval else then
        if then is not None:
            output = self.net(x, _times(now, x), label, _times(then, x))
        elif label is not None:
            output = self.net(x, _times(now, x), label)
        else:
            output = self.net(x, _times(now, x))
        channels = x.shape[1]
        if output.shape[1] == channels:
            return Prediction(x, output, now, self.target)
        return Prediction(x, output[:, :channels], now, self.target, output[:, channels:])


def _times(moment: Moment, x: Tensor) -> Tensor:
    """The network's time input (B,)."""
    if isinstance(moment.t, Tensor):
        return moment.t.reshape(-1)
    return torch.full(x.shape[:1], moment.t, dtype=x.dtype, device=x.device)
