import diffusers
import pytest
import torch

from samplerbench.methods import DiscreteVP, Field, get, get_recipe
from samplerbench.testing.exact import normal
from samplerbench.testing.small_net import seeded_noise


@pytest.mark.parametrize("steps", [2, 3, 10, 50])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("variance", ["small", "large"])
def test_ddpm_is_that_of_diffusers(small_net, x, states, generator, steps, spacing, variance):
    scheduler = diffusers.DDPMScheduler(variance_type=f"fixed_{variance}", timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    expected = states(scheduler, small_net, x, generator=generator)
    times = torch.cat((scheduler.timesteps + 1, torch.zeros(1))) / 1000
    field = Field(small_net, DiscreteVP(), "eps")
    ours = list(get(f"ddpm[variance={variance}]").steps(field, x, times.double(), seeded_noise(1)))
    if (spacing, variance) == ("trailing", "large"):
        # On this grid, diffusers adds the large noise after the last step too.
        ours, expected = ours[:-1], expected[:-1]
    for state, reference in zip(ours, expected, strict=True):
        torch.testing.assert_close(state, reference, rtol=2e-5, atol=2e-5)


def test_the_recipe_trains_at_every_timestep_equally():
    recipe, count = get_recipe("ddpm"), 1000
    evenly = torch.special.ndtri((torch.arange(count, dtype=torch.float64) + 0.5) / count)
    times = recipe.times(lambda _: evenly, normal(count, 1, 1, 1))
    torch.testing.assert_close(times, torch.arange(1, count + 1).double() / count)
