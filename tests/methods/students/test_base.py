"""What all students share: a perfect one samples exactly and has no loss."""

from dataclasses import replace

import pytest
import torch

from samplerbench.methods import METHODS, SpecError, get, get_recipe, sample
from samplerbench.methods.students._base import pseudo_huber
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise

# The solver of `bespoke` is not a network; it has tests of its own.
SAMPLERS = [n for n in METHODS.names() if get_recipe(get(n).recipe).distilled and n != "bespoke"]


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_a_perfect_student_makes_the_images_of_the_flow(name, steps, flow_map, gaussian):
    method = get(name)
    if method.unsupported(steps):
        pytest.skip("unsupported number of steps")
    x = normal(4000, 1, 4, 4)
    images = sample(method, flow_map.perfect(name, steps), x, steps, seeded_noise(1))
    if steps == 1 or name != "consistency":
        torch.testing.assert_close(images, flow_map.end(x), rtol=1e-6, atol=1e-6)
    else:  # it draws noise between steps: the same distribution, but other images
        torch.testing.assert_close(images.mean(0, keepdim=True), gaussian.mean, rtol=0, atol=0.08)
        torch.testing.assert_close(images.std(0, keepdim=True), gaussian.std, rtol=0.06, atol=0)


@pytest.mark.parametrize(
    ("name", "message"), [("knowledge", "1 step only"), ("bespoke", "1, 2, 3, 4, 5, 6, 8 or 10 steps only")]
)
def test_a_step_count_that_was_not_trained_is_refused(name, message, flow_map):
    with pytest.raises(SpecError, match=f"{name} cannot take 7 steps: it supports {message}"):
        sample(get(name), flow_map.perfect(name), normal(1, 1, 4, 4), 7, None)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("knowledge", 1e-9), ("reflow_distilled", 1e-9), ("reflow", 1e-9), ("progressive", 1e-9), ("meanflow", 1e-9),
        ("shortcut", 2e-4),  # its smallest steps are two Euler steps
    ],
)  # fmt: skip
def test_a_perfect_student_has_no_loss(name, tolerance, flow_map, pairs, paired):
    recipe, teacher, field = get_recipe(name), flow_map.teacher, flow_map.perfect(name, 4)
    if name == "progressive":  # its teacher takes exact steps of half the size
        recipe, teacher = replace(recipe, steps=4), flow_map.perfect("progressive", 8)
    x0, eps = pairs(256)
    noise = paired(eps, 2) if recipe.pairs else seeded_noise(2)
    loss = recipe.loss(field, x0, None, noise, teacher)
    assert loss.shape == (256,)
    assert loss.max() < tolerance
    wrong = replace(field, net=lambda *inputs: field.net(*inputs) + 0.1)
    assert recipe.loss(wrong, x0, None, noise, teacher).mean() > 1e-3


def test_the_pseudo_huber_distance_is_quadratic_for_small_and_linear_for_large_errors():
    error = torch.tensor([1e-4, 1e2]).double().view(2, 1, 1, 1).expand(2, 1, 3, 3)
    assert pseudo_huber(error, 0.03).tolist() == pytest.approx([1e-8 / 0.06, 1e2 - 0.03], rel=1e-4)
    assert pseudo_huber(error, 0.0).tolist() == pytest.approx([1e-8, 1e4])
