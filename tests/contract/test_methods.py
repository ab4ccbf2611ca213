"""The contract that every registered method keeps; registering one enrols it here."""

from dataclasses import fields, is_dataclass, replace
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch

from samplerbench.methods import METHODS, RECIPES, VP, Cosine, Field, Linear, get, get_recipe, sample, trajectory
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sweep.plan import evaluations

# Values of numeric options at which a method is another one, beside its defaults: without noise, with noise, by order.
TELLING = {
    "eta": (0.0, 1.0), "tau": (0.0,), "level": (0.0,), "churn": (20.0,),
    "order": (1, 2, 4), "corrector": (0,), "corrections": (0,),
}  # fmt: skip


def variants() -> list:
    """Every method, every choice of each option that is a choice, and the telling values of the others."""
    found = {}
    for name in METHODS.names():
        method = get(name)
        hints = get_type_hints(type(method))
        found[str(method)] = method
        for field in fields(method):
            hint = hints[field.name]
            for value in get_args(hint) if get_origin(hint) is Literal else TELLING.get(field.name, ()):
                variant = replace(method, **{field.name: type(field.default)(value)})
                found[str(variant)] = variant
    return list(found.values())


VARIANTS = variants()
STEPPED = [method for method in VARIANTS if not method.adaptive]
ORDINARY = [method for method in VARIANTS if not get_recipe(method.recipe).student]  # those of networks of moments
every = pytest.mark.parametrize("method", VARIANTS, ids=str)
every_stepped = pytest.mark.parametrize("method", STEPPED, ids=str)


def noise_from(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype)


def with_outputs(net, outputs: int):
    """The network with further outputs, all zero."""
    return lambda x, *rest: torch.cat((net(x, *rest), x.new_zeros(x.shape).repeat(1, outputs - 1, 1, 1)), dim=1)


def field_of(recipe, net) -> Field:
    return Field(with_outputs(net, recipe.outputs), recipe.path, recipe.target, solver=recipe.solver)


@every
def test_it_prints_as_its_spec_and_says_where_it_comes_from(method):
    assert get(str(method)) == method
    assert is_dataclass(method)
    assert method.recipe in RECIPES.names()
    module = __import__(type(method).__module__, fromlist=["x"])
    assert "arXiv" in (type(method).__doc__ + module.__doc__), "the docstring names the paper"


@pytest.mark.parametrize("method", [method for method in VARIANTS if method.convergence], ids=str)
def test_the_global_error_falls_with_the_declared_order(method, mixture):
    # A mixture, since on a Gaussian the leading error of the midpoint rule cancels. The intervals shrink towards both
    # ends, because multistep methods take steps of low order there; their own order shows once those errors are small.
    path = VP()
    x = torch.randn(8, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    start, end = 0.9, 0.2
    exact = mixture.flow(path, x, start, end)
    counts, errors = (128, 256), []
    for steps in counts:
        u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        times = start + (end - start) * u**3 * (10 - 15 * u + 6 * u**2)
        *_, last = method.steps(mixture.field(path), x, times, None)
        errors.append((last - exact).square().mean().sqrt().item())
    assert -np.diff(np.log2(errors)) == pytest.approx(method.convergence, abs=0.2)


UNBIASED = [method for method in ORDINARY if "norms=image" not in str(method)]  # there the step depends on the state


@pytest.mark.parametrize("method", UNBIASED, ids=str)
def test_many_steps_reproduce_mean_and_covariance_of_the_data(method, gaussian):
    recipe = get_recipe(method.recipe)
    path = recipe.path
    noise = noise_from(1)
    x = noise(torch.empty(2000, 1, 4, 4, dtype=torch.float64))
    if "clip" in {field.name for field in fields(method)}:
        method = replace(method, clip=False)  # the Gaussian reaches beyond [-1, 1]
    steps = None if method.adaptive else 100 if (method.convergence or 1) > 1 else 400
    images = sample(method, field_of(recipe, gaussian.field(path, recipe.target).net), x, steps, noise)
    torch.testing.assert_close(images.mean(0, keepdim=True), gaussian.mean, rtol=0, atol=0.08)
    torch.testing.assert_close(images.std(0, keepdim=True), gaussian.std, rtol=0.07, atol=0)
    correlations = torch.corrcoef(images.flatten(1).T) - torch.eye(16)
    assert correlations.abs().max() < 0.09


# Evaluations on each step but the last, if more than one.
EVALUATIONS = {"midpoint": 2, "heun": 2, "rk4": 4, "dpm2": 2, "dpmpp_2s": 2, "dpm3": 3, "langevin": 5}


@every_stepped
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 7, 10, 50, 999])
def test_evaluations_are_those_of_the_steps_asked_for(method, steps):
    recipe = get_recipe(method.recipe)
    if method.step_counts and steps not in method.step_counts:
        pytest.skip("it cannot take as many")
    each = EVALUATIONS.get(getattr(method, "solver", method.name), 1 + getattr(method, "corrections", 0))
    if method.name == "pndm":
        expected = steps + 3 * min(3, steps - 1)
    elif method.name in ("flow", "reflow"):  # on the straight path the last interval is like the others
        expected = each * steps
    else:
        expected = each * (steps - 1) + 1
    assert evaluations(method, recipe, steps) == expected


@every_stepped
def test_it_yields_a_state_for_every_step(method, small_net):
    recipe = get_recipe(method.recipe)
    field = field_of(recipe, small_net)
    for steps in method.step_counts or (1, 2, 3, 5, 7):
        states = list(trajectory(method, field, torch.randn(2, 1, 8, 8), steps, noise_from(0)))
        assert len(states) == steps
        assert all(state.isfinite().all() for state in states)


@every
def test_the_same_seed_gives_the_same_image_at_any_batch_size(method, small_net):
    recipe = get_recipe(method.recipe)
    field = field_of(recipe, small_net)

    def images(batch_size: int) -> torch.Tensor:
        batches = []
        for start in range(0, 16, batch_size):
            indices = range(start, min(start + batch_size, 16))
            noise = ImageNoise(0, indices)
            x = noise(torch.empty(len(indices), 1, 8, 8))
            batches.append(sample(method, field, x, method.nearest_count(7), noise))
        return torch.cat(batches)

    # An adaptive solver's steps depend on the batch, so its images agree only as far as its tolerance goes.
    tolerance, sizes = (5e-3, (8,)) if method.adaptive else (1e-4, (1, 7))
    together = images(16)
    for batch_size in sizes:
        torch.testing.assert_close(images(batch_size), together, rtol=tolerance, atol=tolerance)


@every_stepped
def test_the_last_step_draws_no_noise(method, small_net):
    recipe, drawn = get_recipe(method.recipe), []

    def noise(x):
        drawn.append(True)
        return torch.randn_like(x)

    sample(method, field_of(recipe, small_net), torch.randn(2, 1, 8, 8), 1, noise)
    assert not drawn


@every
def test_it_keeps_the_dtype_and_leaves_its_input_alone(method, small_net):
    recipe = get_recipe(method.recipe)
    x = torch.randn(2, 1, 8, 8)
    before = x.clone()
    images = sample(method, field_of(recipe, small_net), x, method.nearest_count(3), noise_from(0))
    assert (images.dtype, images.shape) == (x.dtype, x.shape)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize("name", dict.fromkeys(method.name for method in ORDINARY))
@pytest.mark.parametrize(("path", "target"), [(Linear(), "velocity"), (Cosine(), "v")], ids=["straight", "cosine"])
def test_it_works_where_there_is_no_signal_at_the_start(name, path, target, gaussian):
    method, noise = get(name), noise_from(1)
    if "clip" in {field.name for field in fields(method)}:
        method = replace(method, clip=False)
    x = noise(torch.empty(1000, 1, 4, 4, dtype=torch.float64))
    field = Field(with_outputs(gaussian.field(path, target).net, method.outputs), path, target)
    images = sample(method, field, x, 400, noise)
    torch.testing.assert_close(images.mean(0, keepdim=True), gaussian.mean, rtol=0, atol=0.12)
    torch.testing.assert_close(images.std(0, keepdim=True), gaussian.std, rtol=0.1, atol=0)
    assert sample(method, field, x, 1, noise).isfinite().all()
