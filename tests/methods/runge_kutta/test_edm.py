"""Solvers in EDM's frame, and churn."""

from functools import partial
from itertools import pairwise

import diffusers
import pytest
import torch

from samplerbench.methods import VE, Field, SpecError, get
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise

close = partial(torch.testing.assert_close, rtol=2e-5, atol=5e-5)
TRAILING = {"beta_start": 1e-4, "beta_end": 0.02, "timestep_spacing": "trailing"}


@pytest.mark.parametrize("steps", [1, 3, 20])
@pytest.mark.parametrize(("name", "stages"), [("euler", 1), ("heun", 2)])
def test_euler_and_heun_are_those_of_diffusers(compare, name, stages, steps):
    scheduler = getattr(diffusers, f"{name.title()}DiscreteScheduler")(**TRAILING)
    compare(name, scheduler, steps, exploding=True, stages=stages)


@pytest.mark.parametrize("name", ["midpoint", "rk4"])
def test_midpoint_and_rk4_are_the_textbook_rules_in_the_noise_level(gaussian, name):
    path, sigmas = VE(0.01, 10.0), [10.0, 4.0, 1.0, 0.3]
    times = path.time_at(-2 * torch.tensor(sigmas, dtype=torch.float64).log())

    def slope(x, sigma):
        return gaussian.field(path).net(x, path.time_at(torch.tensor([-2.0]).double() * torch.tensor(sigma).log()))

    x = 10 * normal(4, 1, 4, 4)
    for (a, b), state in zip(pairwise(sigmas), get(name).steps(gaussian.field(path), x, times, None), strict=True):
        h, k1 = b - a, slope(x, a)
        if name == "midpoint":
            x = x + h * slope(x + h / 2 * k1, a + h / 2)
        else:
            k2 = slope(x + h / 3 * k1, a + h / 3)
            k3 = slope(x + h * (k2 - k1 / 3), a + 2 * h / 3)
            k4 = slope(x + h * (k1 - k2 + k3), b)
            x = x + h * (k1 + 3 * k2 + 3 * k3 + k4) / 8
        close(state, x, rtol=1e-6, atol=1e-6)


def test_euler_is_the_edm_scheduler_of_diffusers(small_net, x):
    scheduler = diffusers.EDMEulerScheduler()
    scheduler.set_timesteps(20)
    path = VE(1e-6, 80.0)  # its sigma never reaches 0, so the last step differs

    def net(x, t):
        sigma = path.at(t).sigma
        variance = sigma**2 + 0.25
        return 0.25 / variance * x + 0.5 * sigma / variance.sqrt() * small_net(x / variance.sqrt(), sigma.log() / 4)

    times = torch.cat((path.time_at(-2 * scheduler.sigmas[:-1].double().log()), torch.zeros(1)))
    state = 80 * x
    ours = list(get("euler").steps(Field(net, path, "x0"), state, times, None))
    for timestep, mine in list(zip(scheduler.timesteps, ours, strict=True))[:-1]:
        seen = scheduler.scale_model_input(state, timestep)
        state = scheduler.step(small_net(seen, timestep.expand(len(x))), timestep, state, return_dict=False)[0]
        close(mine, state, atol=1e-4)


def test_churn_is_that_of_diffusers_for_a_network_that_ignores_its_input(compare, x, generator):
    # diffusers evaluates the network before it adds churn, at the level without it; EDM after, at the raised level.
    # With a constant eps that makes no difference. The next test checks EDM's order.
    eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    options = {"s_churn": 3.0, "s_tmin": 0.5, "s_tmax": 50.0, "generator": generator}
    scheduler = diffusers.EulerDiscreteScheduler(**TRAILING)
    compare("euler[churn=3,s_min=0.5,s_max=50]", scheduler, 10, exploding=True, net=lambda x, t: eps, **options)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_churn_is_that_of_edms_algorithm_2(gaussian, solver):
    path, levels = VE(0.002, 80.0), torch.tensor([80.0, 30.0, 8.0, 2.0, 0.5, 0.1], dtype=torch.float64)
    times = torch.cat((path.time_at(-2 * levels.log()), torch.zeros(1)))
    options = "churn=2,s_min=0.3,s_max=50,s_noise=1.01"
    x, z = 80 * normal(4, 1, 4, 4), seeded_noise(1)
    ours = get(f"{solver}[{options}]").steps(gaussian.field(path), x, times, seeded_noise(1))

    def denoise(x, s):
        return x - s * gaussian.field(path).net(x, path.time_at(torch.tensor([-2.0]) * s.log()))

    levels = [*levels, torch.tensor(0.002, dtype=torch.float64)]
    for (s, s_next), state in zip(pairwise(levels), ours, strict=True):
        # 80 is above s_max, and is also the highest level of the path; 0.1 is below s_min.
        hat = s * (1 + (min(2 / 6, 2**0.5 - 1) if 0.3 <= s <= 50 else 0))
        x = x + (hat**2 - s**2).sqrt() * 1.01 * z(x) if hat > s else x
        d = (x - denoise(x, hat)) / hat
        euler = x + (s_next - hat) * d
        x = x + (s_next - hat) * (d + (euler - denoise(euler, s_next)) / s_next) / 2 if solver == "heun" else euler
        close(state, x, rtol=1e-6, atol=1e-6)


def test_churn_stops_at_the_highest_level_of_the_path_and_before_data(gaussian):
    """A churned level never exceeds sigma_max, and the last interval draws no noise."""
    path, seen, drawn = VE(0.01, 10.0), [], []
    field = gaussian.field(path)

    def net(x, t):
        seen.append(path.at(t).sigma.max().item())
        return field.net(x, t)

    def noise(x):
        drawn.append(len(seen))
        return torch.zeros_like(x)

    levels = torch.tensor([10.0, 9.5, 1.0], dtype=torch.float64)
    times = torch.cat((path.time_at(-2 * levels.log()), torch.zeros(1)))
    list(get("euler[churn=30]").steps(Field(net, path, "eps"), normal(2, 1, 4, 4), times, noise))
    assert seen == pytest.approx([10.0, 10.0, 2**0.5], rel=1e-6)
    assert drawn == [1, 2], "noise before the second and the third evaluation only"


def test_options_of_churn_without_churn_are_an_error():
    with pytest.raises(SpecError, match="no effect without churn"):
        get("heun[s_noise=1.01]")
