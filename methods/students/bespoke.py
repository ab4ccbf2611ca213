"""Bespoke solvers: times and weights of a solver, learned for one network and step count (arXiv 2403.01329)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from samplerbench.methods.core.field import combination
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import Linear, Moment
from samplerbench.methods.core.recipe import Recipe, uniform
from samplerbench.methods.core.registry import register

COUNTS = (1, 2, 3, 4, 5, 6, 8, 10)  # the step counts, each with its own solver


class NonStationary(nn.Module):
    """Times 1 = t_0 > ... > t_n = 0, and weights a (n,) and b (n, n), of a solver for each step count n (eq. 6).

    x_{i+1} = a_i x_0 + sum_{j <= i} b_ij v(x_j, t_j). Initially, this is Euler's method on the uniform grid.
    """

    def __init__(self):
        super().__init__()
        self.gaps = nn.ParameterDict({str(n): torch.zeros(n) for n in COUNTS})  # between the times, as logits
        self.state = nn.ParameterDict({str(n): torch.ones(n) for n in COUNTS})
        self.slopes = nn.ParameterDict({str(n): torch.ones(n, n).tril() for n in COUNTS})  # in units of the gap

    def forward(self, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """(times, a, b) for n = `steps`: (n + 1,), (n,) and (n, n), the times in float64."""
        key = str(steps)
        gaps = torch.softmax(self.gaps[key].double(), 0)
        times = 1 - torch.cat((gaps.new_zeros(1), gaps.cumsum(0)[:-1], gaps.new_ones(1)))
        return times, self.state[key], -(self.slopes[key].tril() * gaps.to(self.slopes[key].dtype))


def solve(
    velocity: Callable[[Tensor, Moment], Tensor],
    x: Tensor,
    moments: Sequence[Moment],
    a: Sequence[float] | Tensor,
    b: Sequence[Sequence[float]] | Tensor,
    mix: Callable[..., Tensor] = combination,
) -> Iterator[Tensor]:
    """Yield the states of a solver with weights a (n,) and b (n, n), from the state x (B, C, H, W) at moments[0].

    mix: the linear combination to use; `differentiable` for weights that are tensors.
    """
    start, slopes = x, list[Tensor]()
    for i, now in enumerate(moments[:-1]):
        slopes.append(velocity(x, now))
        x = mix((a[i], *b[i][: i + 1]), (start, *slopes))
        yield x


def differentiable(coefficients: Sequence[Tensor], tensors: Sequence[Tensor]) -> Tensor:
    """sum_i c_i x_i (B, C, H, W) with coefficients (), to which gradients flow, unlike those of `combination`."""
    first, *rest = (c * x for c, x in zip(coefficients, tensors, strict=True))
    return sum(rest, first)


@register("bespoke")
@dataclass(frozen=True)
class BespokeRecipe(Recipe):
    """log || x_n - x0 ||^2, the negative PSNR, x_n by the solver from the noise from which `flow` makes x0 (eq. 14).

    A solver has n (n + 5) / 2 parameters; the network stays the teacher's. Each batch trains the solver of one step
    count, drawn at random.
    """

    path = Linear()
    target = "velocity"
    provides = frozenset({"solver"})
    teacher = "flow"
    pairs = True
    coupled = True

    def modules(self, teacher=None):
        return {"solver": NonStationary()}

    def loss(self, field, x0, label, noise, teacher):
        steps = COUNTS[int(uniform(noise, x0)[0] * len(COUNTS))]
        times, a, b = field.modules["solver"](steps)
        moments = [self.path.at(t.to(x0.dtype).expand(len(x0))) for t in times]
        *_, x = solve(lambda x, now: teacher(x, now, label=label).velocity, noise(x0), moments, a, b, differentiable)
        return (x - x0).square().flatten(1).mean(1).log()


@register("bespoke")
@dataclass(frozen=True)
class Bespoke(Method):
    """x_{i+1} = a_i x_0 + sum_{j <= i} b_ij v(x_j, t_j), with times and weights learned for each step count.

    One evaluation per step, of the teacher's network.
    """

    recipe = "bespoke"
    reference = "arXiv 2403.01329"
    grid = None
    requires = frozenset({"solver"})
    step_counts = COUNTS

    def steps(self, field, x, times, noise):
        times, a, b = field.modules["solver"](len(times) - 1)
        yield from solve(lambda x, now: field(x, now).velocity, x, field.path.along(times), a.tolist(), b.tolist())
