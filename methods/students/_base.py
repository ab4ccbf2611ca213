"""What students that sample in few steps have in common."""

from abc import ABC
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.methods.core.method import Method, Recipe, regression_loss
from samplerbench.methods.core.path import Linear


class Student(Recipe, ABC):
    """A recipe on the straight path that begins with the weights of its teacher `flow`, without dropout.

    Its data are what the teacher says, of which there is no end, so that dropout would only blur them.
    """

    path = Linear()
    target = "velocity"
    teacher = "flow"
    student = True
    network: ClassVar = {"dropout": 0.0}


def pseudo_huber(error: Tensor, huber: float) -> Tensor:
    """sqrt(mean(error^2) + c^2) - c of each image's error (B, C, H, W): (B,); the mean of the squares for c = 0.

    A pixel's error far above c = `huber` counts by its size, one far below by its square (arXiv 2310.14189, eq. 7).
    """
    square = error.square().flatten(1).mean(1)
    return (square + huber**2).sqrt() - huber if huber else square


class OneStepRecipe(Student, ABC):
    """|| x0(eps) - x0 ||^2 at t = 1, on noise eps and the image x0 that the teacher makes of it (2101.02388, eq. 4)."""

    pairs = True

    def loss(self, field, x0, label, noise, teacher):
        return regression_loss(field, x0, label, torch.ones_like(x0[:, 0, 0, 0]), noise)


@dataclass(frozen=True)
class FewSteps(Method, ABC):
    """x_s = alpha_s x0 + sigma_s eps: steps of DDIM, as few as the network has learnt to take."""

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = field(x, now).mix(then.alpha, then.sigma)
            yield x


@dataclass(frozen=True)
class OneStep(FewSteps, ABC):
    """x0 of the noise, in one evaluation."""

    step_counts = (1,)


@dataclass(frozen=True)
class Jump(Method, ABC):
    """x_s = x_t - (t - s) u(x_t, t, s): the network tells the mean velocity over the whole interval."""

    interval = True

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = torch.add(x, field(x, now, then).p, alpha=then.t - now.t)
            yield x


@dataclass(frozen=True)
class Renoise(Method, ABC):
    """x_s = alpha_s x0(x_t, t) + sigma_s z: an image at every step, then noise again (arXiv 2303.01469, alg. 1)."""

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = field(x, now).x0
            if then.sigma:
                x = field.path.mix(x, noise(x), then)
            yield x
