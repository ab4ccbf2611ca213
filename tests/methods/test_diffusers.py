"""Our samplers against diffusers' schedulers on a fixed network in float32, and against each other."""

from functools import partial

import diffusers
import pytest
import torch

from samplerbench.methods import GRIDS, DiscreteVP, Field, Linear, get, get_recipe, sample

close = partial(torch.testing.assert_close, rtol=2e-5, atol=2e-5)
STEPS = [1, 2, 5, 10, 50]


@pytest.fixture
def x():
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def states(scheduler, net, x, first=1, **options):
    """The states of a diffusers scheduler, whose timestep i is our t = (i + first) / 1000."""
    found = []
    for timestep in scheduler.timesteps:
        t = ((timestep + first) / 1000).expand(len(x))
        x = scheduler.step(net(x, t), timestep, x, return_dict=False, **options)[0]
        found.append(x)
    return found


def field(net) -> Field:
    return Field(net, DiscreteVP(), "eps")


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_ddim_is_diffusers_ddim(small_net, x, steps, spacing, eta):
    scheduler = diffusers.DDIMScheduler(clip_sample=False, timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    expected = states(scheduler, small_net, x, eta=eta, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    noise = lambda x: torch.randn(x.shape, generator=generator)  # noqa: E731
    close(sample(get(f"ddim[eta={eta}]"), field(small_net), x, steps, noise, spacing), expected[-1])


@pytest.mark.parametrize("steps", [2, 3, 10, 50])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("variance", ["small", "large"])
def test_ddpm_is_diffusers_ddpm(small_net, x, steps, spacing, variance):
    scheduler = diffusers.DDPMScheduler(variance_type=f"fixed_{variance}", timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    expected = states(scheduler, small_net, x, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    times = torch.cat((scheduler.timesteps + 1, torch.zeros(1))) / 1000
    noise = lambda x: torch.randn(x.shape, generator=generator)  # noqa: E731
    ours = list(get(f"ddpm[variance={variance}]").steps(field(small_net), x, times.double(), noise))
    if (spacing, variance) == ("trailing", "large"):
        # diffusers adds the large noise after this grid's last step too; before it the two agree.
        ours, expected = ours[:-1], expected[:-1]
    for state, reference in zip(ours, expected, strict=True):
        close(state, reference)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 50])
def test_euler_flow_is_diffusers_flow_match_euler(small_net, x, steps):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=GRIDS.get("uniform")(steps, Linear())[:-1].tolist())
    expected = states(scheduler, small_net, x, first=0)
    close(sample(get("flow"), Field(small_net, Linear(), "velocity"), x, steps, None), expected[-1])


@pytest.mark.parametrize("grid", ["uniform", "quadratic", "karras", "logsnr"])
def test_ddim_with_eta_1_is_ddpm_with_the_small_variance(small_net, x, grid):
    images = []
    for spec in ("ddim[eta=1]", "ddpm[clip=false]"):
        generator = torch.Generator().manual_seed(1)
        noise = lambda x: torch.randn(x.shape, generator=generator)  # noqa: E731, B023
        images.append(sample(get(spec), field(small_net), x, 10, noise, grid))
    close(*images)


@pytest.mark.parametrize("grid", ["uniform", "quadratic", "karras"])
def test_ddim_on_the_straight_path_is_euler(small_net, x, grid):
    straight = Field(small_net, get_recipe("flow").path, "velocity")
    close(sample(get("ddim"), straight, x, 10, None, grid), sample(get("flow"), straight, x, 10, None, grid))


@pytest.mark.parametrize(("name", "reached"), [("flow", 1e-6), ("pf_ode", 2e-3)])
def test_adaptive_solvers_reach_the_exact_solution(gaussian, name, reached):
    recipe = get_recipe(name if name == "flow" else "ddpm")
    x = torch.randn(4, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    exact = gaussian.flow(recipe.path, x, 1.0, 0.0)
    images = sample(
        get(f"{name}[solver=dopri5,rtol=1e-8,atol=1e-8]"), gaussian.field(recipe.path, recipe.target), x, None, None
    )
    # On the variance-preserving path the last stretch, from t_min to 0, is one evaluation of x0.
    close(images, exact, rtol=0, atol=reached)
