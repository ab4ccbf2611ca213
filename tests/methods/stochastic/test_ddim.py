import diffusers
import pytest
import torch

from samplerbench.methods import DiscreteVP, Field, Prediction, get, sample
from samplerbench.testing.small_net import seeded_noise


@pytest.mark.parametrize("steps", [1, 2, 5, 50])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_ddim_is_that_of_diffusers(small_net, x, states, generator, steps, spacing, eta):
    scheduler = diffusers.DDIMScheduler(clip_sample=False, timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    expected = states(scheduler, small_net, x, eta=eta, generator=generator)
    field = Field(small_net, DiscreteVP(), "eps")
    ours = sample(get(f"ddim[eta={eta}]"), field, x, steps, seeded_noise(1), spacing)
    torch.testing.assert_close(ours, expected[-1], rtol=2e-5, atol=2e-5)


def test_clip_clips_x0_and_takes_the_eps_of_the_clipped_x0(small_net, x):
    path, times = DiscreteVP(), torch.tensor([0.7, 0.4], dtype=torch.float64)
    now, then = path.along(times)
    (ours,) = get("ddim[clip=true]").steps(Field(small_net, path, "eps"), 3 * x, times, None)
    x0 = Prediction(3 * x, small_net(3 * x, torch.full((len(x),), 0.7)), now, "eps").x0
    assert x0.abs().max() > 1
    x0 = x0.clamp(-1, 1)
    torch.testing.assert_close(ours, then.alpha * x0 + then.sigma * (3 * x - now.alpha * x0) / now.sigma)
