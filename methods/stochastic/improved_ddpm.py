"""Denoising diffusion with a learned variance on the cosine schedule (arXiv 2102.09672)."""

from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import ClassVar

import torch
from torch import Tensor

from samplerbench.methods.core.capabilities import DENOISER
from samplerbench.methods.core.field import weights
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.path import Cosine, Moment
from samplerbench.methods.core.recipe import Recipe, uniform
from samplerbench.methods.core.registry import register

TIMESTEPS = 1000  # of the chain whose variational bound trains the variance


@register("improved_ddpm")
@dataclass(frozen=True)
class ImprovedDDPMRecipe(Recipe):
    """L_simple + lambda L_vlb, lambda = 1e-3, with no gradient from L_vlb to the mean (eq. 14-16); in nats per pixel.

    A second output of the network parametrises the variance, as the method `improved_ddpm` reads it. The mean is
    predicted as v (2202.00512), since eps does not determine x0 at the end of the cosine schedule, where no signal is
    left. The last step of the bound ends half a timestep before the data, where the true variance vanishes.
    """

    path = Cosine()
    target = "v"
    provides = DENOISER | {"variance"}
    network: ClassVar = {"outputs": 2}

    def loss(self, field, x0, label, noise, teacher):
        n = (uniform(noise, x0) * TIMESTEPS).ceil()
        now, eps = self.path.at(n / TIMESTEPS), noise(x0)
        p = field(self.path.mix(x0, eps, now), now, label=label)

        a, b = weights(self.target, now)
        simple = (p.p - (a * x0 + b * eps)).square().flatten(1).mean(1)
        ends = (self.path.at(m.double() / TIMESTEPS) for m in (n, (n - 1).clamp(min=0.5)))
        terms = divergence(x0, p.x0.detach(), p.extra, *ends).flatten(1).mean(1)
        # L_vlb is a sum over timesteps, of which this is one at random, hence the factor TIMESTEPS.
        return simple + 1e-3 * TIMESTEPS * terms


def divergence(x0: Tensor, predicted: Tensor, output: Tensor, now: Moment, then: Moment) -> Tensor:
    """KL(q(x_s | x_t, x0) || p(x_s | x_t)) of each pixel (B, C, H, W), in nats.

    x0, predicted: the true and the predicted image. output: the network's output for the variance. All (B, C, H, W).
    now, then: the moments t and s, in float64 (B, 1, 1, 1), both with noise.
    """
    large = now.sigma**2 - (now.alpha / then.alpha * then.sigma) ** 2
    small = large * then.sigma**2 / now.sigma**2
    factor = (then.alpha * large / now.sigma**2).square() / small  # of (x0 - predicted)^2, over the true variance
    log_ratio = (output + 1) / 2 * (large / small).log().to(output.dtype)  # of the predicted to the true variance
    square = factor.to(output.dtype) * (x0 - predicted).square()
    return (log_ratio - 1 + (1 + square) * torch.exp(-log_ratio)) / 2


@register("improved_ddpm")
@dataclass(frozen=True)
class ImprovedDDPM(Method):
    r"""x_s = posterior mean + exp((f log beta + (1 - f) log beta~) / 2) z,  f = (1 + output) / 2 per pixel (eq. 15).

    beta = sigma_t^2 - (alpha_t / alpha_s)^2 sigma_s^2 and beta~ = beta sigma_s^2 / sigma_t^2 are the large and small
    variances of `ddpm`, respaced to any grid. clip: clip x0 to [-1, 1]. Requires a network that predicts a variance.
    One evaluation per step.
    """

    clip: bool = True

    recipe = "improved_ddpm"
    requires = frozenset({"variance"})
    reference = "arXiv 2102.09672"

    def steps(self, field, x, times, noise):
        for now, then in pairwise(field.path.along(times)):
            p = field(x, now)
            shown = p.clipped() if self.clip else p
            x = shown.mix(then.alpha, then.sigma**2 * now.alpha / (then.alpha * now.sigma))
            if then.t > 0:
                x = torch.addcmul(x, std(p.extra, now, then), noise(x))
            yield x


def std(output: Tensor, now: Moment, then: Moment) -> Tensor:
    """The standard deviation (B, C, H, W) of the step, from the network's output for the variance."""
    large = now.sigma**2 - (now.alpha / then.alpha * then.sigma) ** 2
    log_small = log(large) + 2 * log(then.sigma / now.sigma)
    return torch.exp(output * ((log(large) - log_small) / 4) + (log(large) + log_small) / 4)
