"""Base classes of distilled recipes and of the methods that sample their networks in few steps."""

from abc import ABC
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import Linear
from samplerbench.methods.core.recipe import Recipe, regression_loss


class Student(Recipe, ABC):
    """A recipe on the straight path whose teacher is `flow`, and whose training starts from the teacher's weights.

    There is no dropout: the teacher provides unlimited training data, so nothing needs to be regularised.
    """

    path = Linear()
    target = "velocity"
    provides = frozenset()
    network: ClassVar = {"dropout": 0.0}

    @property
    def teacher(self) -> str:
        return "flow"


def pseudo_huber(error: Tensor, huber: float) -> Tensor:
    """sqrt(mean(error^2) + c^2) - c of each image (B,), for errors (B, C, H, W); the mean square for c = `huber` = 0.

    It is linear in errors per pixel far above c, and quadratic in those far below (arXiv 2310.14189, eq. 7).
    """
    square = error.square().flatten(1).mean(1)
    return (square + huber**2).sqrt() - huber if huber else square


class OneStepRecipe(Student, ABC):
    """|| x0(eps) - x0 ||^2 at t = 1, for noise eps and the teacher's image x0 of it (arXiv 2101.02388, eq. 4)."""

    pairs = True

    def loss(self, field, x0, label, noise, teacher):
        return regression_loss(field, x0, label, torch.ones_like(x0[:, 0, 0, 0]), noise)


@dataclass(frozen=True)
class FewSteps(Method, ABC):
    """x_s = alpha_s x0 + sigma_s eps: DDIM steps, of the size the network was trained for. One evaluation per step."""

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = field(x, now).mix(then.alpha, then.sigma)
            yield x


@dataclass(frozen=True)
class OneStep(FewSteps, ABC):
    """x0 of the noise, in a single evaluation."""

    step_counts = (1,)


@dataclass(frozen=True)
class Jump(Method, ABC):
    """x_s = x_t - (t - s) u(x_t, t, s): the network predicts the mean velocity u from t to s."""

    requires = frozenset({"intervals"})

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = torch.add(x, field(x, now, then).p, alpha=then.t - now.t)
            yield x


@dataclass(frozen=True)
class Renoise(Method, ABC):
    """x_s = alpha_s x0(x_t, t) + sigma_s z: predict the image, then add fresh noise (arXiv 2303.01469, alg. 1)."""

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            x = field(x, now).x0
            if then.sigma:
                x = combination((then.alpha, then.sigma), (x, noise(x)))
            yield x
