import diffusers
import pytest
import torch

from samplerbench.methods import DiscreteVP, Field, get


@pytest.mark.parametrize("steps", [5, 20])
def test_pndm_is_that_of_diffusers(small_net, x, states, steps):
    scheduler = diffusers.PNDMScheduler(timestep_spacing="leading", set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    first, rest = scheduler.prk_timesteps[::4], scheduler.plms_timesteps
    times = torch.cat((torch.tensor([*first, *rest]).double() + 1, torch.zeros(1))) / 1000
    ours = list(get("pndm").steps(Field(small_net, DiscreteVP(), "eps"), x, times, None))
    expected = states(scheduler, small_net, x)
    # The last interval of this grid, from timestep 1, is short; diffusers weights it like the others.
    for a, b in list(zip(ours, [*expected[3:12:4], *expected[12:]], strict=True))[:-1]:
        torch.testing.assert_close(a, b, rtol=2e-5, atol=5e-5)
