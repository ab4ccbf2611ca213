from dataclasses import replace

import pytest
import torch
from torch import nn

from samplerbench.methods import Field, Linear, get_recipe
from samplerbench.methods.students.dmd import fresh
from samplerbench.testing.exact import normal

PATH = Linear()


@pytest.mark.parametrize(("shift", "low", "high"), [(0.5, 0.05, 5.0), (0.0, -0.01, 0.01), (-0.5, -5.0, -0.05)])
def test_the_gradient_moves_shifted_images_back_to_the_teachers_distribution(flow_map, pairs, paired, shift, low, high):
    """The student adds a shift to the teacher's images, and the critic is exact for those."""
    offset = nn.Parameter(torch.tensor(shift, dtype=torch.float64))

    def student(x, t, *_):
        return (x - flow_map.map(x, t, torch.zeros_like(t)) - offset) / t.view(-1, 1, 1, 1)

    critic = replace(flow_map.data, mean=flow_map.data.mean + shift).field(PATH, "velocity").net
    field = Field(student, PATH, "velocity", modules={"critic": critic})
    x0, eps = pairs(2000)
    recipe = replace(get_recipe("dmd"), regression=0.0)
    recipe.loss(field, x0, None, paired(eps, 3), flow_map.teacher).mean().backward()
    assert low < offset.grad.item() < high


def test_the_critic_learns_to_denoise_the_students_images(flow_map, pairs, paired):
    scale = nn.Parameter(torch.tensor(0.9, dtype=torch.float64))
    x0, eps = pairs(512)
    critic = lambda x, t, *_: scale * flow_map.teacher.net(x, t)  # noqa: E731
    field = replace(flow_map.perfect("dmd"), modules={"critic": critic})
    recipe = replace(get_recipe("dmd"), regression=0.0)
    recipe.loss(field, x0, None, paired(eps, 3), flow_map.teacher).mean().backward()
    assert scale.grad < -0.05, "a larger scale, up to 1, denoises better"


def test_the_loss_on_pairs_has_its_weight(flow_map, pairs, paired):
    x0, eps = pairs(16)
    field = replace(flow_map.perfect("dmd"), modules={"critic": flow_map.teacher.net})
    losses = [
        replace(get_recipe("dmd"), regression=weight).loss(field, x0 + 0.5, None, paired(eps, 3), flow_map.teacher)
        for weight in (0.0, 2.0)
    ]
    torch.testing.assert_close(losses[1] - losses[0], torch.full((16,), 2 * 0.25).double())


def test_the_critic_starts_as_a_copy_of_the_teacher():
    teacher = nn.Linear(2, 2)
    critic = get_recipe("dmd").modules(teacher)["critic"]
    assert critic is not teacher
    assert torch.equal(critic.weight, teacher.weight)
    assert get_recipe("dmd").modules() == {}


def test_fresh_noise_is_not_that_of_a_pair(paired):
    eps = normal(2, 1, 4, 4)
    assert not torch.equal(fresh(paired(eps, 0), eps), eps)
    assert fresh(paired(eps, 0), eps).shape == eps.shape
