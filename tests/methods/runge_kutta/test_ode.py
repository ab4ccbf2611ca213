"""The probability-flow ODE in time."""

from functools import partial

import diffusers
import pytest
import torch

from samplerbench.methods import GRIDS, Field, Linear, SpecError, get, get_recipe, sample
from samplerbench.testing.exact import normal

close = partial(torch.testing.assert_close, rtol=2e-5, atol=5e-5)


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_euler_on_a_flow_is_flow_match_euler_of_diffusers(small_net, x, states, steps):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=GRIDS.get("uniform")(steps, Linear())[:-1].tolist())
    expected = states(scheduler, small_net, x, first=0)
    close(sample(get("flow"), Field(small_net, Linear(), "velocity"), x, steps, None), expected[-1])


@pytest.mark.parametrize("steps", [2, 20])
def test_heun_on_a_flow_is_flow_match_heun_of_diffusers(small_net, x, states, steps):
    scheduler = diffusers.FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(steps)
    times = torch.cat((scheduler.sigmas[:-1:2].double(), torch.zeros(1)))
    ours = list(get("flow[solver=heun]").steps(Field(small_net, Linear(), "velocity"), x, times, None))
    expected = states(scheduler, small_net, x, first=0)
    for a, b in zip(ours[:-1], expected[1::2], strict=True):  # its last step is Euler's, ours Heun's
        close(a, b)


@pytest.mark.parametrize(("name", "tolerance"), [("flow", 1e-6), ("pf_ode", 2e-3)])
def test_adaptive_solvers_reach_the_exact_solution(gaussian, name, tolerance):
    recipe, x = get_recipe(get(name).recipe), normal(4, 1, 4, 4)
    field, method = gaussian.field(recipe.path, recipe.target), get(f"{name}[solver=dopri5,rtol=1e-8,atol=1e-8]")
    # On the variance-preserving path, the last interval, from t_min to 0, is a single evaluation of x0.
    exact = gaussian.flow(recipe.path, x, 1.0, 0.0)
    close(sample(method, field, x, None, None), exact, rtol=0, atol=tolerance)


@pytest.mark.parametrize("spec", ["flow[rtol=0.1]", "pf_ode[solver=heun,atol=0.1]"])
def test_tolerances_of_fixed_steps_are_an_error(spec):
    with pytest.raises(SpecError, match="rtol and atol have no effect on"):
        get(spec)
