"""Bespoke solvers: the times and weights of a solver, learnt for one network and number of steps (arXiv 2403.01329)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from samplerbench.methods.core.method import Method, Recipe, uniform
from samplerbench.methods.core.path import Linear, Moment
from samplerbench.methods.core.registry import register

COUNTS = (1, 2, 3, 4, 5, 6, 8, 10)  # of steps, for each of which there is a solver


class NonStationary(nn.Module):
    """Times 1 = t_0 > ... > t_n = 0, and the weights a (n,) and b (n, n), of the solvers of n steps (eq. 6).

    x_{i+1} = a_i x_0 + sum_{j <= i} b_ij v(x_j, t_j). As it begins this is Euler's method on the uniform grid.
    """

    def __init__(self):
        super().__init__()
        self.gaps = nn.ParameterDict({str(n): torch.zeros(n) for n in COUNTS})  # of the times, as logits
        self.state = nn.ParameterDict({str(n): torch.ones(n) for n in COUNTS})
        self.slopes = nn.ParameterDict({str(n): torch.ones(n, n).tril() for n in COUNTS})  # in units of the gap

    def forward(self, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """(times, a, b), the times in float64."""
        key = str(steps)
        gaps = torch.softmax(self.gaps[key].double(), 0)
        times = 1 - torch.cat((gaps.new_zeros(1), gaps.cumsum(0)[:-1], gaps.new_ones(1)))
        return times, self.state[key], -(self.slopes[key].tril() * gaps.to(self.slopes[key].dtype))


def solve(
    velocity: Callable[[Tensor, Moment], Tensor], x: Tensor, moments: Sequence[Moment], a: Sequence, b: Sequence
) -> Iterator[Tensor]:
    """Yield the states (B, C, H, W) of a solver with weights a (n,) and b (n, n), numbers or tensors."""
    start, slopes = x, []
    for i, now in enumerate(moments[:-1]):
        slopes.append(velocity(x, now))
        x = a[i] * start + sum(b[i][j] * slope for j, slope in enumerate(slopes))
        yield x


@register("bespoke")
@dataclass(frozen=True)
class BespokeRecipe(Recipe):
    """log || x_n - x0 ||^2, x_n of the solver from the noise of which `flow` makes x0: the negative PSNR (eq. 14).

    A solver has n (n + 5) / 2 numbers to learn, and the network stays the teacher's. Every batch serves the solver of
    one number of steps.
    """

    path = Linear()
    target = "velocity"
    teacher = "flow"
    student = True
    pairs = True
    solver: ClassVar = NonStationary().requires_grad_(False)

    def loss(self, field, x0, label, noise, teacher):
        steps = COUNTS[int(uniform(noise, x0)[0] * len(COUNTS))]
        times, a, b = field.solver(steps)
        moments = [self.path.at(t.to(x0.dtype).expand(len(x0))) for t in times]
        *_, x = solve(lambda x, now: teacher(x, now, label=label).velocity, noise(x0), moments, a, b)
        return (x - x0).square().flatten(1).mean(1).log()


@register("bespoke")
@dataclass(frozen=True)
class Bespoke(Method):
    """x_{i+1} = a_i x_0 + sum_{j <= i} b_ij v(x_j, t_j), with times and weights learnt for each number of steps."""

    recipe = "bespoke"
    reference = "arXiv 2403.01329"
    step_counts = COUNTS
    own_times = True

    def steps(self, field, x, times, noise):
        times, a, b = field.solver(len(times) - 1)
        yield from solve(lambda x, now: field(x, now).velocity, x, field.path.along(times), a.tolist(), b.tolist())
