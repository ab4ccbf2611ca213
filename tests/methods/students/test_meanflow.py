from dataclasses import replace

import torch
from torch import nn

from samplerbench.methods import Field, Linear, get_recipe
from samplerbench.methods.students.meanflow import derivative
from samplerbench.models import PRESETS, UNet
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import SmallNet, seeded_noise

PATH = Linear()


def test_the_derivative_is_that_of_the_mean_velocity_in_closed_form(flow_map):
    """d/dt [(t - s) u] = v along the trajectory, so (t - s) du/dt = v - u."""
    x, t, s = normal(64, 1, 4, 4), torch.linspace(0.2, 1, 64, dtype=torch.float64), torch.full((64,), 0.1).double()
    velocity = flow_map.teacher(x, PATH.at(t)).p
    rate = derivative(flow_map.perfect("meanflow"), x, t, s, None, velocity)
    gap = (t - s).view(-1, 1, 1, 1)
    torch.testing.assert_close(gap * rate, velocity - flow_map.mean_velocity(x, t, s), rtol=1e-8, atol=1e-8)


def test_the_derivative_of_the_unet_is_a_central_difference():
    """In forward mode through attention."""
    torch.manual_seed(0)
    net = UNet(replace(PRESETS["digits"], **get_recipe("meanflow").network)).double().eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.05)
    field, x, v = Field(net, PATH, "velocity", interval=True), normal(2, 1, 8, 8), normal(2, 1, 8, 8, seed=1)
    t, s, label, h = torch.tensor([0.9, 0.5]).double(), torch.tensor([0.2, 0.1]).double(), torch.tensor([1, 10]), 1e-5
    ends = [field(x + e * v, PATH.at(t + e), PATH.at(s), label=label).p for e in (h, -h)]
    found = derivative(field, x, t, s, label, v)
    # Times are embedded in float32, whose rounding the difference amplifies.
    torch.testing.assert_close(found, (ends[0] - ends[1]) / (2 * h), rtol=0, atol=0.02 * found.abs().max().item())


def test_the_derivative_stays_in_float32_under_autocast():
    """Which does not support forward mode."""
    field, x = Field(SmallNet(), PATH, "velocity", interval=True), normal(4, 1, 8, 8).float()
    inputs = x, torch.full((4,), 0.9), torch.full((4,), 0.2), None, x
    with torch.autocast("cpu", torch.bfloat16):
        found = derivative(field, *inputs)
    torch.testing.assert_close(found, derivative(field, *inputs), rtol=0, atol=0)


def test_the_share_of_instants_and_the_adaptive_weight_are_options(flow_map):
    seen = []

    def net(x, t, label, s):
        seen.append((t, s))
        return torch.zeros_like(x)

    field, x0 = Field(net, PATH, "velocity", interval=True), normal(64, 1, 4, 4)
    losses = {}
    for power in (0, 1):
        recipe = replace(get_recipe("meanflow"), instants=0.75, power=power)
        losses[power] = recipe.loss(field, x0, torch.zeros(64, dtype=torch.int64), seeded_noise(0), flow_map.teacher)
        t, s = seen[-1]
        assert (s < t).sum() == 16
        assert (s <= t).all()
    torch.testing.assert_close(losses[1], losses[0] / (losses[0] + 1e-3))
