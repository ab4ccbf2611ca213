"""Sampling on the path of every recipe."""

import pytest

from samplerbench.methods import RECIPES, get, get_recipe, sample
from samplerbench.testing.exact import normal

# One recipe for each path.
PATHS = {repr(get_recipe(name).path): name for name in reversed(RECIPES.names())}


@pytest.mark.parametrize("name", PATHS.values())
@pytest.mark.parametrize(("spec", "tolerance"), [("heun", 0.01), ("dpmpp_2m", 0.01), ("ddim", 0.05)])
def test_samplers_follow_the_exact_flow_from_noise_to_data(name, spec, tolerance, gaussian):
    recipe, x = get_recipe(name), normal(50, 1, 4, 4)
    images = sample(get(spec), gaussian.field(recipe.path, recipe.target), x, 100, None, "logsnr")
    exact = gaussian.flow(recipe.path, recipe.path.prior_std * x, 1.0, 0.0)
    assert (images - exact).square().mean().sqrt().item() < tolerance
