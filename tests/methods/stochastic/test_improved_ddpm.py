"""The learned variance: its loss and its sampler."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from samplerbench.methods import Field, get, get_recipe, sample
from samplerbench.methods.stochastic.improved_ddpm import divergence, std
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import SmallNet


def test_the_divergence_is_that_of_two_normals():
    path = get_recipe("improved_ddpm").path
    now, then = path.at(torch.tensor([0.3, 0.8]).double()), path.at(torch.tensor([0.25, 0.5]).double())
    x0, predicted, eps = (normal(2, 1, 3, 3, seed=seed) for seed in range(3))
    output = torch.tanh(normal(2, 1, 3, 3, seed=3))

    r, x = now.alpha / then.alpha, now.alpha * x0 + now.sigma * eps
    beta = now.sigma**2 - (r * then.sigma) ** 2

    def posterior(x0, std):
        return Normal((r * then.sigma**2 * x + then.alpha * beta * x0) / now.sigma**2, std)

    small = beta.sqrt() * then.sigma / now.sigma
    learned = torch.exp((1 + output) / 2 * beta.sqrt().log() + (1 - output) / 2 * small.log())
    expected = kl_divergence(posterior(x0, small.expand_as(x0)), posterior(predicted, learned))
    torch.testing.assert_close(divergence(x0, predicted, output, now, then), expected)


def test_the_bound_trains_the_variance_only():
    recipe, x0 = get_recipe("improved_ddpm"), normal(16, 1, 4, 4)
    output = torch.zeros(16, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    moments, noises = [], iter([normal(16, seed=1), normal(16, 1, 4, 4, seed=2)])
    eps = normal(16, 1, 4, 4, seed=2)

    def net(x, t, label=None):
        moments.append(recipe.path.at(t))
        return output

    recipe.loss(Field(net, recipe.path, "v"), x0, None, lambda _: next(noises), None).sum().backward()
    (now,) = moments
    v = now.alpha * eps - now.sigma * x0
    torch.testing.assert_close(output.grad[:, :1], -2 * v / 16)  # of the mean square over 16 pixels, at v = 0
    assert (output.grad[:, 1:] != 0).all()
    assert output.grad.isfinite().all()


@pytest.mark.parametrize(("output", "variance"), [(-1.0, "small"), (1.0, "large")])
def test_the_ends_of_the_learned_variance_are_the_variances_of_ddpm(output, variance, gaussian):
    path, x = get_recipe("improved_ddpm").path, normal(3, 1, 4, 4)
    mean = gaussian.field(path, "v")

    def net(x, t, label=None):
        return torch.cat((mean.net(x, t), torch.full_like(x, output)), dim=1)

    def images(spec, field):
        noises = (normal(3, 1, 4, 4, seed=seed) for seed in range(1, 7))
        return sample(get(spec), field, x, 7, lambda _: next(noises))

    ours = images("improved_ddpm", Field(net, path, "v"))
    torch.testing.assert_close(ours, images(f"ddpm[variance={variance}]", mean))


def test_the_learned_variance_interpolates_the_logarithm():
    now, then = get_recipe("improved_ddpm").path.along(torch.tensor([0.6, 0.4]))
    small, middle, large = (std(torch.tensor(value, dtype=torch.float64), now, then) for value in (-1, 0, 1))
    assert small < middle < large
    torch.testing.assert_close(middle**2, small * large)


def test_other_methods_ignore_the_variance():
    recipe, net = get_recipe("improved_ddpm"), SmallNet(outputs=2).requires_grad_(False)
    x, both = torch.randn(2, 1, 8, 8), Field(net, recipe.path, recipe.target)
    alone = Field(lambda *inputs: net(*inputs)[:, :1], recipe.path, recipe.target)
    for spec in ("ddim", "dpmpp_2m"):
        torch.testing.assert_close(*(sample(get(spec), field, x, 3, None) for field in (both, alone)), rtol=0, atol=0)
