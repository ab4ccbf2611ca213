"""Progressive distillation: each stage learns to take two of its teacher's steps at once (arXiv 2202.00512)."""

from dataclasses import dataclass
from typing import Literal

import torch

from samplerbench.methods.core.recipe import uniform
from samplerbench.methods.core.registry import register
from samplerbench.methods.students._base import FewSteps, Student

STAGES = (32, 16, 8, 4, 2, 1)  # their numbers of steps


@register("progressive")
@dataclass(frozen=True)
class ProgressiveRecipe(Student):
    """|| v(x_t, t) - v* ||^2 at t = i / steps, where one step with v* equals two steps of the teacher (algorithm 2).

    The teacher of the first stage is `flow` at twice the steps, that of each later stage the one before. The velocity
    error weights the error of x0 by 1 / t^2, where the paper uses max(SNR, 1).
    """

    steps: Literal[32, 16, 8, 4, 2, 1] = 1

    @property
    def teacher(self) -> str:
        return "flow" if self.steps == STAGES[0] else f"progressive[steps={2 * self.steps}]"

    def loss(self, field, x0, label, noise, teacher):
        i = (uniform(noise, x0) * self.steps).ceil()
        now, middle = (self.path.at((i - part) / self.steps) for part in (0, 0.5))
        x = self.path.mix(x0, noise(x0), now)

        with torch.no_grad():
            first = teacher(x, now, label=label)
            second = teacher(first.mix(middle.alpha, middle.sigma), middle, label=label)
            # On the straight path, DDIM steps are Euler steps: two of them equal one with their mean velocity.
            target = (first.velocity + second.velocity) / 2
        return (field(x, now, label=label).velocity - target).square().flatten(1).mean(1)


@register("progressive")
@dataclass(frozen=True)
class Progressive(FewSteps):
    """x_s = alpha_s x0 + sigma_s eps: DDIM steps, with the network of this step count. One evaluation per step."""

    recipe = "progressive"
    step_counts = STAGES
    reference = "arXiv 2202.00512"

    def checkpoint(self, steps):
        return str(ProgressiveRecipe(steps or 1))
