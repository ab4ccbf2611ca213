import torch

from samplerbench.methods import Field, Linear, get, get_recipe
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise


def test_the_target_is_two_steps_of_the_teacher(flow_map):
    recipe, seen = get_recipe("progressive[steps=2]"), []

    def net(x, t, *_):
        seen.append((x, t))
        return torch.zeros_like(x)

    field = Field(net, Linear(), "velocity")
    loss = recipe.loss(field, normal(64, 1, 4, 4), None, seeded_noise(0), flow_map.teacher)
    ((x, t),) = seen
    for start in (1.0, 0.5):
        where = (t - start).abs() < 1e-9
        assert where.any()
        times = torch.tensor([start, start - 0.25, start - 0.5], dtype=torch.float64)
        *_, end = get("ddim").steps(flow_map.teacher, x[where], times, None)
        torch.testing.assert_close(loss[where], ((x[where] - end) / 0.5).square().mean((1, 2, 3)))
