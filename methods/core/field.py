"""The one conversion between what a network predicts and what a sampler needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from samplerbench.methods.core.path import Moment, Path

Target = Literal["x0", "eps", "v", "velocity", "score"]


def weights(target: Target, now: Moment) -> tuple:
    """(a, b) of a prediction p = a x0 + b eps."""
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
    """sum_i c_i x_i, one operation a term; terms with coefficient 0 are left out."""
    total = None
    for c, x in zip(coefficients, tensors, strict=True):
        if c:
            total = c * x if total is None else torch.add(total, x, alpha=c)
    return torch.zeros_like(tensors[0]) if total is None else total


@dataclass(frozen=True, slots=True)
class Prediction:
    """One network call, readable in every parametrisation.

    With x = alpha x0 + sigma eps and p = a x0 + b eps, any a' x0 + b' eps is one combination of x and p:
    ((a' b - b' a) x + (alpha b' - sigma a') p) / (alpha b - sigma a).
    """

    x: Tensor  # (B, C, H, W), the state
    p: Tensor  # (B, C, H, W), what the network said of it
    now: Moment
    target: Target
    extra: Tensor | None = None  # (B, ., H, W), the network's further outputs, if it has any

    def read(self, target: Target) -> Tensor:
        """The prediction as `target`, in the shape of x."""
        if target == self.target:
            return self.p
        return self.mix(*weights(target, self.now))

    def mix(self, a_: float | Tensor, b_: float | Tensor) -> Tensor:
        """a' x0 + b' eps in one combination: with the (alpha, sigma) of another time, the DDIM step to it."""
        a, b = weights(self.target, self.now)
        det = self.now.alpha * b - self.now.sigma * a
        return ((a_ * b - b_ * a) / det) * self.x + ((self.now.alpha * b_ - self.now.sigma * a_) / det) * self.p

    x0 = property(lambda self: self.read("x0"))
    eps = property(lambda self: self.read("eps"))
    v = property(lambda self: self.read("v"))
    velocity = property(lambda self: self.read("velocity"))
    score = property(lambda self: self.read("score"))

    def clipped(self) -> "Prediction":
        """The same state with x0 clipped to [-1, 1]; the other readings follow from the clipped x0."""
        return Prediction(self.x, self.x0.clamp(-1, 1), self.now, "x0", self.extra)


@dataclass(frozen=True)
class Field:
    """A network on a path: `net(x, t)`, with labels `net(x, t, label)`, on an interval `net(x, t, label, s)`.

    net: maps x (B, C, H, W), times t (B,), labels (B,) and end times s (B,) to a prediction in the shape of x; further
        channels that it may have are the prediction's `extra`.
    label: class labels (B,) that every call uses unless it is given others.
    solver: what a recipe's `solver` has learnt for the sampler.
    interval: whether the network is one of intervals; asked at one moment, it is asked for the interval of length 0.
    """

    net: Callable[..., Tensor]
    path: Path
    target: Target
    label: Tensor | None = None
    interval: bool = False
    solver: Callable[..., tuple] | None = None

    def __call__(self, x: Tensor, now: Moment, then: Moment | None = None, label: Tensor | None = None) -> Prediction:
        """Evaluate the network once at the state x (B, C, H, W) and the moment `now`."""
        label = self.label if label is None else label
        then = now if then is None and self.interval else then
        inputs = [_times(now, x)]
        if label is not None or then is not None:
            inputs.append(label)
        if then is not None:
            inputs.append(_times(then, x))
        output, channels = self.net(x, *inputs), x.shape[1]
        extra = output[:, channels:] if output.shape[1] > channels else None
        return Prediction(x, output[:, :channels], now, self.target, extra)


def _times(moment: Moment, x: Tensor) -> Tensor:
    """The network's time input (B,)."""
    if isinstance(moment.t, Tensor):
        return moment.t.reshape(-1)
    return torch.full((len(x),), moment.t, dtype=x.dtype, device=x.device)
