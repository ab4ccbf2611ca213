from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from samplerbench.methods import Field, Linear, SpecError, get_recipe
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise

PATH = Linear()


def test_the_loss_of_the_exact_function_is_the_error_of_the_teachers_euler_step(flow_map):
    """It falls with the square of the step: count * (count^-2)^2."""
    losses = []
    for count in (16, 32, 64):
        recipe = replace(get_recipe("consistency"), intervals=count, last=count, huber=0.0)
        field, teacher = flow_map.perfect("consistency"), flow_map.teacher
        loss = recipe.loss(field, normal(512, 1, 4, 4), None, seeded_noise(0), teacher)
        losses.append(loss.mean().item())
    assert [one / two for one, two in pairwise(losses)] == pytest.approx([8, 8], rel=0.35)
    # The velocity is not a consistency function.
    assert recipe.loss(teacher, normal(512, 1, 4, 4), None, seeded_noise(0), teacher).mean() > 10 * losses[-1]


def test_consistency_training_uses_the_trajectory_of_the_pair_itself(paired):
    recipe = replace(get_recipe("consistency_training"), intervals=4, last=4, huber=0.0)
    seen = []

    def net(x, t, *_):
        seen.append((x, t))
        return torch.zeros_like(x)

    x0, eps = normal(32, 1, 4, 4), normal(32, 1, 4, 4, seed=1)
    recipe.loss(Field(net, PATH, "velocity"), x0, None, paired(eps, 2), None)
    for x, t in seen:
        torch.testing.assert_close(x, PATH.mix(x0, eps, PATH.at(t)))
    torch.testing.assert_close(seen[0][1] - seen[1][1], torch.full((32,), 0.25).double())


def test_the_number_of_intervals_doubles_after_equal_parts_of_the_training():
    recipe = get_recipe("consistency[intervals=8,last=64]")
    counts = [recipe.at_progress(part / 40).intervals for part in range(40)]
    assert counts == [8] * 10 + [16] * 10 + [32] * 10 + [64] * 10
    assert recipe.at_progress(1.0).intervals == 64


def test_the_number_of_intervals_cannot_fall():
    with pytest.raises(SpecError, match="last must be at least intervals, 4, not 2"):
        get_recipe("consistency[last=2]")
