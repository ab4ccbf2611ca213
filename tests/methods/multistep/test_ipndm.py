from dataclasses import dataclass
from math import pi

import diffusers
import pytest
import torch

from samplerbench.methods import Field, Path, get


@dataclass(frozen=True)
class SquaredSine(Path):
    """The path of diffusers' iPNDM, on which its betas are evenly spaced in t."""

    def coefficients(self, t):
        angle = t * pi / 2
        sigma = angle.sin() ** 2
        alpha = angle.cos() * (1 + sigma).sqrt()
        d_sigma = pi * angle.sin() * angle.cos()
        return alpha, sigma, -sigma * d_sigma / alpha, d_sigma


@pytest.mark.parametrize("steps", [3, 20])
def test_ipndm_is_that_of_diffusers(small_net, x, steps):
    scheduler = diffusers.IPNDMScheduler()
    scheduler.set_timesteps(steps)
    scheduler.set_begin_index(1)  # at t = 1 it divides by 1e-8 and loses x0
    times = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[1:]
    ours = list(get("ipndm").steps(Field(small_net, SquaredSine(), "v"), x, times, None))
    state = x
    for t, timestep, mine in zip(times[:-1], scheduler.timesteps[1:], ours, strict=True):
        state = scheduler.step(small_net(state, t.float().expand(4)), timestep, state, return_dict=False)[0]
        torch.testing.assert_close(mine, state, rtol=2e-5, atol=5e-5)
