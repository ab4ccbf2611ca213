"""Ancestral sampling of the VE SDE and predictor-corrector sampling."""

import diffusers
import pytest
import torch

from samplerbench.methods import VE, Field, Linear, SpecError, get, sample
from samplerbench.testing.small_net import seeded_noise


@pytest.mark.parametrize("steps", [3, 20])
def test_pc_is_the_sde_ve_scheduler_of_diffusers_on_a_batch_of_one(small_net, x, generator, steps):
    path, x = VE(0.001, 50.0), 50 * x[:1]
    scheduler = diffusers.ScoreSdeVeScheduler(sigma_min=0.01, sigma_max=50.0, snr=0.16)
    scheduler.set_timesteps(steps)
    scheduler.set_sigmas(steps)

    def score(x, sigma):
        return -small_net(x / 50, (sigma / 50).expand(1)) / sigma

    sigmas, expected, state = scheduler.discrete_sigmas.flip(0), [], x
    for i, timestep in enumerate(scheduler.timesteps):
        if i:  # it corrects before it predicts; ours corrects after
            state = scheduler.step_correct(score(state, sigmas[i]), state, generator=generator, return_dict=False)[0]
            expected.append(state)
        state = scheduler.step_pred(score(state, sigmas[i]), timestep, state, generator, return_dict=False)[0]

    field = Field(lambda x, t: score(x, path.at(t).sigma.view(1)), path, "score")
    times = torch.cat((path.time_at(-2 * sigmas.double().log()), torch.zeros(1)))
    ours = list(get("pc[norms=image,variance=large]").steps(field, x, times, seeded_noise(1)))
    for a, b in zip(ours[:-1], expected, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-4)


def test_expected_norms_are_those_of_an_image_of_pure_noise():
    """On a large image whose eps is standard normal, both choices agree."""
    path, times = VE(0.01, 10.0), torch.tensor([0.6, 0.5, 0.4], dtype=torch.float64)
    eps = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    states = [
        list(get(f"pc[norms={norms}]").steps(Field(lambda x, t: eps, path, "eps"), eps, times, seeded_noise(1)))[-1]
        for norms in ("expected", "image")
    ]
    torch.testing.assert_close(*states, rtol=0, atol=0.01)


@pytest.mark.parametrize("spec", ["ancestral[variance=large]", "pc[variance=large]"])
def test_the_large_variance_is_refused_where_it_is_infinite(spec, small_net, x):
    with pytest.raises(SpecError, match="infinite where there is no signal; use variance=small"):
        sample(get(spec), Field(small_net, Linear(), "velocity"), x, 5, seeded_noise(1))


def test_options_of_the_corrector_without_corrections_are_an_error():
    with pytest.raises(SpecError, match="no effect without corrections"):
        get("pc[corrections=0,snr=0.2]")
