"""Euler-Maruyama on the reverse SDE, of diffusion models and flows."""

import pytest
import torch

from samplerbench.methods import VP, Field, Linear, get
from samplerbench.testing.small_net import seeded_noise

TIMES = torch.linspace(1, 0, 11, dtype=torch.float64)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_reverse_sde_on_vp_is_the_papers(small_net, x, level):
    field, z = Field(small_net, VP(), "score"), seeded_noise(1)
    ours = list(get(f"reverse_sde[level={level}]").steps(field, x, TIMES, seeded_noise(1)))
    for i, state in enumerate(ours[:-1]):
        t = 1 - i / 10
        beta = 0.1 + 19.9 * t
        drift = -beta / 2 * x - (1 + level**2) / 2 * beta * small_net(x, torch.full((4,), t))
        x = x - drift / 10 + (level * (beta / 10) ** 0.5 * z(x) if level else 0)
        torch.testing.assert_close(state, x, rtol=2e-5, atol=5e-5)


def test_flow_sde_adds_noise_with_w_equal_to_sigma(small_net, x):
    field, z = Field(small_net, Linear(), "velocity"), seeded_noise(1)
    ours = list(get("flow_sde[level=0.5]").steps(field, x, TIMES, seeded_noise(1)))
    x = x - 0.1 * small_net(x, torch.ones(4))  # the first interval, without signal, is a DDIM step
    torch.testing.assert_close(ours[0], x)
    for i, state in enumerate(ours[1:-1], start=1):
        t = 1 - i / 10
        v, w = small_net(x, torch.full((4,), t)), 0.5**2 * t
        score = -(x + (1 - t) * v) / t  # -eps / sigma
        x = x - 0.1 * (v - w / 2 * score) + (w * 0.1) ** 0.5 * z(x)
        torch.testing.assert_close(state, x, rtol=2e-5, atol=5e-5)
