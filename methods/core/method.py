"""What a plug-in is: a Recipe says what is trained, a Method how it is sampled."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import Module

from samplerbench.methods.core.field import Field, Target, weights
from samplerbench.methods.core.path import Path
from samplerbench.methods.core.plugin import Plugin, SpecError
from samplerbench.methods.core.tuned_grid import get_grid

Noise = Callable[[Tensor], Tensor]  # standard normal numbers in the shape of its argument: the only randomness


class Recipe(Plugin, ABC):
    """What is trained. It owns a checkpoint.

    path: the noise path.
    target: what the network predicts.
    teacher: the recipe whose checkpoint a student learns from, or None.
    outputs: how many images the network returns, channel after channel; the first is the target.
    learns_path: whether the path is a torch module that is trained with the network; `path` is then its first state.
    student: whether the network has learnt to jump: then its own ODE means nothing, and no closed form stands for it.
    network: what its U-Net has otherwise than the data set's own, as {"interval": True}.
    start: the student whose weights it begins with; None for the teacher's.
    pairs: whether it is trained on images that the teacher made, and the noise they were made of: `noise` called in the
        shape of x0 is then that noise.
    solver: for a recipe whose network stays its teacher's, the torch module of the numbers that a sampler learns.
    critic: whether a second network, at first the teacher's, is trained beside it, as `field.net.critic`.
    """

    path: ClassVar[Path]
    target: ClassVar[Target]
    teacher: ClassVar[str | None] = None
    outputs: ClassVar[int] = 1
    learns_path: ClassVar[bool] = False
    student: ClassVar[bool] = False
    network: ClassVar[Mapping[str, object]] = {}
    start: ClassVar[str | None] = None
    pairs: ClassVar[bool] = False
    critic: ClassVar[bool] = False
    solver: ClassVar[Module | None] = None

    def during(self, share: float) -> "Recipe":
        """The recipe as it stands when this share of its training, from 0 to 1, is done."""
        return self

    @abstractmethod
    def loss(self, field: Field, x0: Tensor, label: Tensor | None, noise: Noise, teacher: Field | None) -> Tensor:
        """The loss of each image (B,), for images x0 (B, C, H, W) and labels (B,)."""


class Method(Plugin, ABC):
    """How images are sampled.

    recipe: the recipe whose checkpoint it runs on unless told otherwise.
    grid: its default time grid.
    order: the order of convergence of the global error, or None for a stochastic or adaptive method.
    reference: the paper that defines it.
    adaptive: whether it chooses its own steps; then no grid applies.
    outputs: how many of the network's outputs it reads; its recipe must have as many.
    interval: whether it asks the network for an average over an interval; its recipe must have learnt that.
    own_times: whether it brings its own times; then no grid applies.
    step_counts: the only numbers of steps that it can take; None for any.
    """

    recipe: ClassVar[str]
    grid: ClassVar[str] = "uniform"
    order: ClassVar[int | None] = None
    reference: ClassVar[str] = ""
    adaptive: ClassVar[bool] = False
    outputs: ClassVar[int] = 1
    interval: ClassVar[bool] = False
    own_times: ClassVar[bool] = False
    step_counts: ClassVar[tuple[int, ...] | None] = None

    def refusal(self, steps: int | None) -> str:
        """Why it cannot take this many steps; empty if it can."""
        if self.step_counts is None or steps in self.step_counts:
            return ""
        *others, last = map(str, sorted(self.step_counts))
        return f"it takes {', '.join(others)}{' or ' * bool(others)}{last} step{'s' * bool(others)} only"

    def nearest_count(self, steps: int) -> int | None:
        """The number of steps nearest to this one that it can take; None for an adaptive method."""
        return None if self.adaptive else min(self.step_counts or [steps], key=lambda count: abs(count - steps))

    def checkpoint(self, steps: int | None) -> str:
        """The recipe whose checkpoint serves for this many steps."""
        return self.recipe

    @property
    def convergence(self) -> int | None:
        """What the tests fit: `order`, unless a method has an option of that name with another meaning."""
        return self.order

    @abstractmethod
    def steps(self, field: Field, x: Tensor, times: Tensor, noise: Noise) -> Iterator[Tensor]:
        """Yield the state (B, C, H, W) after each interval of `times` (n + 1,), starting from the state x."""


def trajectory(
    method: Method, field: Field, x: Tensor, steps: int | None, noise: Noise, grid: str | None = None
) -> Iterator[Tensor]:
    """Yield the states of a sampling run that starts from standard normal noise x (B, C, H, W).

    steps: intervals of the grid; None for an adaptive method, which chooses its own.
    grid: a spec such as `karras[rho=5]` or a grid file's path; None for the method's own.
    Raises SpecError for a number of steps that the method cannot take.
    """
    refusal = method.refusal(steps)
    if refusal:
        raise SpecError(f"{method.name} cannot take {steps} steps: {refusal}.")
    times = get_grid(grid or method.grid)(steps or 1, field.path)
    return method.steps(field, x * field.path.prior_std, times, noise)


def sample(method: Method, field: Field, x: Tensor, steps: int | None, noise: Noise, grid: str | None = None) -> Tensor:
    """Turn standard normal noise x (B, C, H, W) into images: the last state of `trajectory`."""
    return deque(trajectory(method, field, x, steps, noise, grid), maxlen=1).pop()


def regression_loss(field: Field, x0: Tensor, label: Tensor | None, t: Tensor, noise: Noise) -> Tensor:
    """|| p(x_t, t) - (a x0 + b eps) ||^2, the mean over the pixels of each image: (B,)."""
    now = field.path.at(t)
    eps = noise(x0)
    a, b = weights(field.target, now)
    predicted = field(field.path.mix(x0, eps, now), now, label=label).p
    return (predicted - (a * x0 + b * eps)).square().flatten(1).mean(1)


def uniform(noise: Noise, x: Tensor) -> Tensor:
    """One number in (0, 1) per image of x (B, C, H, W): the normal distribution function of one normal number."""
    return torch.special.ndtr(noise(x[:, 0, 0, 0])).clamp(1e-6, 1 - 1e-6)
