from itertools import permutations

import torch

from samplerbench.methods import Field, get_recipe
from samplerbench.methods.recipes.ot_flow import paired
from samplerbench.testing.exact import normal


def test_the_pairing_is_the_cheapest_of_all_permutations_within_labels():
    x0, eps = normal(12, 1, 2, 2), normal(12, 1, 2, 2, seed=1)
    label = torch.tensor([0, 1, 0, 2, 1, 0, 0, 1, 0, 1, 0, 1])  # six, five, and a single one
    found = paired(x0, eps, label)
    for value in range(3):
        images, noises = x0[label == value], eps[label == value]
        costs = [(images - noises[list(order)]).square().sum() for order in permutations(range(len(images)))]
        torch.testing.assert_close((images - found[label == value]).square().sum(), min(costs))
        assert sorted(found[label == value].sum((1, 2, 3))) == sorted(noises.sum((1, 2, 3)))  # each noise once
    torch.testing.assert_close(paired(x0, x0.flip(0), None), x0, rtol=0, atol=0)


def test_the_loss_is_that_of_flow_with_the_paired_noise():
    recipe, x0, noises = get_recipe("ot_flow"), normal(8, 1, 2, 2), [normal(8, 1, 2, 2, seed=1), normal(8, seed=2)]

    def net(x, t, label=None):
        return x * t.view(-1, 1, 1, 1)

    field, label, draws = Field(net, recipe.path, recipe.target), torch.arange(8) % 2, iter(noises)
    loss = recipe.loss(field, x0, label, lambda _: next(draws), None)
    t, eps = torch.special.ndtr(noises[1]).view(-1, 1, 1, 1), paired(x0, noises[0], label)
    x = (1 - t) * x0 + t * eps
    torch.testing.assert_close(loss, (x * t - (eps - x0)).square().mean((1, 2, 3)))
