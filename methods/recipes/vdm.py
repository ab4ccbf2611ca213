"""Variational diffusion: a learned noise schedule, trained on the continuous-time bound (arXiv 2107.00630)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from samplerbench.methods.core.path import Moment, Path, moments_of_log_snr
from samplerbench.methods.core.recipe import Recipe, uniform
from samplerbench.methods.core.registry import register


class MonotoneSchedule(Path, nn.Module):
    r"""log SNR = -gamma(t), gamma rising from -13.3 to 5 like t + sum_k a_k sigmoid(b_k t + c_k), with a_k, b_k > 0.

    The paper's monotone network (appendix H) with its first layer absorbed into the second, and fixed ends. Initially,
    gamma is almost linear. alpha^2 = sigmoid(-gamma) and sigma^2 = sigmoid(gamma), so sigma = 0.0013 remains at t = 0.
    """

    def __init__(self, units: int = 32, start: float = -13.3, end: float = 5.0):
        super().__init__()
        self.start, self.end = start, end
        self.heights = nn.Parameter(torch.full((units,), -4.0))
        self.slopes = nn.Parameter(torch.full((units,), 10.0))
        self.shifts = nn.Parameter(-10.0 * (torch.arange(units) + 0.5) / units)

    def coefficients(self, t):
        rise, d_rise = self._rise(t)
        ends, _ = self._rise(t.new_tensor([0.0, 1.0]))
        scale = (self.end - self.start) / (ends[1] - ends[0])
        return moments_of_log_snr(-self.start - scale * (rise - ends[0]), -scale * d_rise)

    def _rise(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The network and its derivative at times t of any shape, in float64."""
        a, b, c = softplus(self.heights.double()), softplus(self.slopes.double()), self.shifts.double()
        s = torch.sigmoid(b * t[..., None] + c)
        return t + (a * s).sum(-1), 1 + (a * b * s * (1 - s)).sum(-1)


@register("vdm")
@dataclass(frozen=True)
class VDMRecipe(Recipe):
    r"""gamma'(t) / 2 || eps(x_t, t) - eps ||^2 with t uniform: the diffusion term of the bound, in nats per pixel.

    Its mean does not depend on the schedule between the ends, so the schedule is trained to reduce the relative
    variance (appendix I). With fixed ends, the prior and reconstruction terms are constant and left out.
    """

    path = MonotoneSchedule().requires_grad_(False)
    target = "eps"
    coupled = True

    def modules(self, teacher=None):
        return {"path": MonotoneSchedule()}

    def loss(self, field, x0, label, noise, teacher):
        now, eps = field.path.at(uniform(noise, x0)), noise(x0)
        predicted = field(field.path.mix(x0, eps, now), now, label=label).eps
        half_rate = (now.d_sigma / now.sigma - now.d_alpha / now.alpha).flatten()
        bound = half_rate * (predicted - eps).square().flatten(1).mean(1)
        _descend_variance(now, bound.detach())
        return bound


def _descend_variance(now: Moment, bound: Tensor) -> None:
    """Replace the schedule's gradient, which flows through `now` alone, by that of mean(bound^2) / mean(bound)^2.

    The gradient of an image's bound^2 is 2 bound times that of its bound, so one backward pass gives both.
    """
    factor = (2 * bound / bound.mean().square()).view(-1, 1, 1, 1)
    for value in (now.alpha, now.sigma, now.d_alpha, now.d_sigma):
        if value.requires_grad:
            value.register_hook(lambda gradient: factor * gradient)
