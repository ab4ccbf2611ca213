from dataclasses import replace

import pytest
import torch

from samplerbench.methods import Field, Linear, get_recipe
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise

PATH = Linear()


def test_the_target_of_a_step_is_the_mean_of_two_half_steps(flow_map):
    recipe, x = get_recipe("shortcut"), normal(3, 1, 4, 4)
    t, size = torch.tensor([1.0, 0.5, 0.75]).double(), torch.tensor([1.0, 0.5, 0.25]).double()
    field = flow_map.perfect("shortcut")
    found = recipe.two_halves(field, flow_map.teacher, x, t, size, None, flow_map.teacher(x, PATH.at(t)).p)
    torch.testing.assert_close(found, flow_map.mean_velocity(x, t, t - size))


def test_the_target_of_the_smallest_step_is_the_mean_of_two_euler_steps_of_the_teacher(flow_map):
    recipe, teacher, x = get_recipe("shortcut"), flow_map.teacher, normal(2, 1, 4, 4)
    t, size = torch.tensor([1.0, 0.5]).double(), torch.full((2,), 1 / 64).double()
    unused = Field(lambda x, *_: torch.full_like(x, torch.nan), PATH, "velocity", interval=True)
    velocity = teacher(x, PATH.at(t)).p
    found = recipe.two_halves(unused, teacher, x, t, size, None, velocity)
    halfway = x - velocity / 128
    torch.testing.assert_close(found, (velocity + teacher(halfway, PATH.at(t - 1 / 128)).p) / 2)


@pytest.mark.parametrize(("instants", "stepping"), [(0.5, 32), (1.0, 0)])
def test_steps_have_all_sizes_and_lie_on_their_grid_and_the_other_images_are_instants(instants, stepping, flow_map):
    seen = []

    def net(x, t, label, s):
        seen.append((t, s))
        return torch.zeros_like(x)

    recipe = replace(get_recipe("shortcut"), instants=instants)
    recipe.loss(
        Field(net, PATH, "velocity", interval=True), normal(64, 1, 4, 4), None, seeded_noise(0), flow_map.teacher
    )
    t, s = seen[-1]
    moving = s < t
    assert moving.sum() == stepping
    sizes = (t - s)[moving]
    torch.testing.assert_close(sizes.log2(), sizes.log2().round())
    torch.testing.assert_close(t[moving] / sizes, (t[moving] / sizes).round())
    if stepping:
        assert {1.0, 1 / 64} <= set(sizes.tolist())
