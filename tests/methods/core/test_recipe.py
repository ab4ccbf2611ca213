from dataclasses import dataclass

import pytest
import torch

from samplerbench.methods import Cosine, Denoising, Field, Linear, get_recipe, regression_loss, uniform
from samplerbench.testing.exact import normal


def test_uniform_numbers_are_the_distribution_function_of_normal_ones():
    numbers = torch.tensor([-40.0, -1.0, 0.0, 1.0, 40.0], dtype=torch.float64)
    found = uniform(lambda _: numbers, normal(5, 1, 1, 1))
    assert found.tolist() == pytest.approx([1e-6, 0.1586552539, 0.5, 0.8413447461, 1 - 1e-6])


@pytest.mark.parametrize("target", ["x0", "eps", "v", "velocity"])
def test_the_regression_loss_is_the_mean_square_error_of_the_target(target):
    path, x0, eps, t = Cosine(), normal(6, 1, 2, 2), normal(6, 1, 2, 2, seed=1), torch.linspace(0.1, 0.9, 6).double()
    label, now = torch.arange(6), path.at(t)
    seen = []

    def net(x, t, label):
        seen.append((x, t, label))
        return 0.3 * x

    loss = regression_loss(Field(net, path, target), x0, label, t, lambda _: eps)
    x = now.alpha * x0 + now.sigma * eps
    truth = {
        "x0": x0,
        "eps": eps,
        "v": now.alpha * eps - now.sigma * x0,
        "velocity": now.d_alpha * x0 + now.d_sigma * eps,
    }[target]
    torch.testing.assert_close(loss, (0.3 * x - truth).square().mean((1, 2, 3)))
    ((state, times, labels),) = seen
    torch.testing.assert_close(state, x)
    assert torch.equal(times, t)
    assert torch.equal(labels, label)


@dataclass(frozen=True)
class AtOneHalf(Denoising):
    """Trains at a single time."""

    path = Linear()
    target = "velocity"

    def times(self, noise, x0):
        return torch.full_like(x0[:, 0, 0, 0], 0.5)


def test_a_denoising_recipe_may_choose_its_times():
    seen, x0 = [], normal(3, 1, 2, 2)

    def net(x, t, label=None):
        seen.append(t)
        return x

    for recipe in (AtOneHalf(), get_recipe("flow")):
        recipe.loss(Field(net, recipe.path, recipe.target), x0, None, torch.zeros_like, None)
        assert seen.pop().tolist() == [0.5] * 3  # the uniform number of a normal 0 is 1/2 too
    numbers = normal(3)
    get_recipe("flow").loss(Field(net, Linear(), "velocity"), x0, None, lambda x: numbers if x.ndim == 1 else x, None)
    torch.testing.assert_close(seen.pop(), torch.special.ndtr(numbers))


def test_recipes_that_provide_no_ode_are_distilled():
    assert not get_recipe("ddpm").distilled
    assert not get_recipe("improved_ddpm").distilled
    assert all(get_recipe(name).distilled for name in ("meanflow", "progressive", "knowledge", "bespoke"))


def test_teachers_chain_back_to_an_undistilled_recipe():
    chain = ["progressive[steps=8]"]
    while get_recipe(chain[-1]).teacher:
        chain.append(get_recipe(chain[-1]).teacher)
    assert chain == ["progressive[steps=8]", "progressive[steps=16]", "progressive[steps=32]", "flow"]
    assert get_recipe("reflow[rounds=3]").teacher == "reflow[rounds=2]"
    assert (get_recipe("reflow").teacher, get_recipe("flow").teacher) == ("flow", None)


def test_by_default_a_recipe_does_not_change_during_training_and_trains_nothing_else():
    recipe = get_recipe("flow")
    assert recipe.at_progress(0.7) is recipe
    assert recipe.modules() == {}


def test_the_field_of_a_network_has_all_that_the_recipe_trained(small_net):
    vdm, meanflow, bespoke = (get_recipe(name) for name in ("vdm", "meanflow", "bespoke"))
    modules = vdm.modules()
    assert vdm.field(small_net, modules).path is modules["path"]
    assert (meanflow.field(small_net, {}).path, meanflow.field(small_net, {}).interval) == (Linear(), True)
    modules = bespoke.modules()
    field = bespoke.field(small_net, modules)
    assert (field.net, field.target, field.interval) == (small_net, "velocity", False)
    assert field.modules["solver"] is modules["solver"]
