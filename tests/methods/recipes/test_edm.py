import pytest
import torch

from samplerbench.methods import Field, get_recipe
from samplerbench.testing.exact import normal


def test_the_recipe_is_table_1():
    """c_skip, c_out and c_in of the paper, at its noise levels, for data with standard deviation sigma_data."""
    recipe, s, seen = get_recipe("edm"), 0.5, []
    x0, noises = s * normal(20_000, 1, 1, 1), [normal(20_000, seed=1), normal(20_000, 1, 1, 1, seed=2)]

    def net(x, t, label=None):
        seen.append((x, t))
        return torch.zeros_like(x)

    draws = iter(noises)
    loss = recipe.loss(Field(net, recipe.path, recipe.target), x0, None, lambda _: next(draws), None)

    ((x, t),) = seen
    moment = recipe.path.at(t)
    sigma = moment.sigma / moment.alpha
    torch.testing.assert_close(sigma.log().flatten(), -1.2 + 1.2 * noises[0])
    y = x0 + sigma * noises[1]
    c_skip, c_out = s**2 / (sigma**2 + s**2), sigma * s / (sigma**2 + s**2).sqrt()
    torch.testing.assert_close(x, s * y / (sigma**2 + s**2).sqrt())
    expected = (x0 - c_skip * y) / c_out
    torch.testing.assert_close(loss, expected.square().flatten())
    assert (x.var() / s**2).item() == pytest.approx(1, abs=0.03)
    assert expected.var().item() == pytest.approx(1, abs=0.03)
