"""Methods that are the same under two names."""

import pytest
import torch

from samplerbench.methods import Field, get, get_recipe, sample
from samplerbench.testing.small_net import seeded_noise


def images(spec, net, x, grid, recipe):
    recipe = get_recipe(recipe)
    return sample(get(spec), Field(net, recipe.path, recipe.target), x, 10, seeded_noise(1), grid)


PAIRS = [
    ("unipc[order=1,corrector=false]", "ddim"),
    ("sa_solver[order=1,corrector=0,tau=0]", "ddim"),
    ("dpmpp_2m_sde[eta=0]", "dpmpp_2m"),
    ("dpmpp_3m_sde[eta=0]", "dpmpp_3m"),
    ("euler", "ddim"),
    ("euler_ancestral[eta=0.5]", "ddim[eta=0.5]"),
    ("ancestral", "ddpm[clip=false]"),
    ("ddim[eta=1]", "ddpm[clip=false]"),
    ("pc[corrections=0]", "ancestral"),
    ("deis[order=1]", "ddim"),
    ("deis[space=rho]", "lms"),
    ("ipndm[order=1]", "ddim"),
    ("deis[space=log_rho,order=1]", "ddim"),
    ("sa_solver[order=2,corrector=3,tau=0]", "unipc[order=2,variant=bh1]"),
    ("sa_solver[order=3,corrector=4,tau=0]", "unipc[order=3,variant=bh1]"),
    ("reverse_sde[level=0]", "pf_ode"),
    ("flow_sde[level=0]", "pf_ode"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
@pytest.mark.parametrize("recipe", ["ddpm", "flow"])
def test_two_names_of_one_method(small_net, x, one, other, recipe):
    ours, theirs = (images(spec, small_net, x, "logsnr", recipe) for spec in (one, other))
    torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=5e-5)


def test_the_large_variance_without_corrections_is_the_ancestral_one(small_net, x):
    specs = "pc[corrections=0,variance=large]", "ancestral[variance=large]"
    torch.testing.assert_close(*(images(spec, small_net, x, "logsnr", "ddpm") for spec in specs), rtol=0, atol=0)


@pytest.mark.parametrize("grid", ["uniform", "quadratic", "karras"])
def test_ddim_on_the_straight_path_is_euler_on_any_grid(small_net, x, grid):
    ours, theirs = (images(spec, small_net, x, grid, "flow") for spec in ("ddim", "flow"))
    torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=5e-5)
