import diffusers
import pytest
import torch

from samplerbench.methods import VE, Field, get

TRAILING = {"timestep_spacing": "trailing"}


@pytest.mark.parametrize("steps", [1, 3, 20])
@pytest.mark.parametrize("kind", ["midpoint", "heun"])
@pytest.mark.parametrize("sde", ["", "_sde"])
def test_dpmpp_2m_is_that_of_diffusers(compare, generator, steps, kind, sde):
    algorithm = ("sde-" if sde else "") + "dpmsolver++"
    scheduler = diffusers.DPMSolverMultistepScheduler(algorithm_type=algorithm, solver_type=kind, **TRAILING)
    options = {"generator": generator} if sde else {}
    compare(f"dpmpp_2m{sde}[kind={kind}]", scheduler, steps, **options)


def test_dpmpp_2m_is_the_edm_scheduler_of_diffusers(small_net, x):
    scheduler = diffusers.EDMDPMSolverMultistepScheduler()
    scheduler.set_timesteps(20)
    path = VE(1e-6, 80.0)  # its sigma never reaches 0, so the last step differs

    def net(x, t):
        sigma = path.at(t).sigma
        variance = sigma**2 + 0.25
        return 0.25 / variance * x + 0.5 * sigma / variance.sqrt() * small_net(x / variance.sqrt(), sigma.log() / 4)

    times = torch.cat((path.time_at(-2 * scheduler.sigmas[:-1].double().log()), torch.zeros(1)))
    state = 80 * x
    ours = list(get("dpmpp_2m").steps(Field(net, path, "x0"), state, times, None))
    for timestep, mine in list(zip(scheduler.timesteps, ours, strict=True))[:-1]:
        seen = scheduler.scale_model_input(state, timestep)
        state = scheduler.step(small_net(seen, timestep.expand(len(x))), timestep, state, return_dict=False)[0]
        torch.testing.assert_close(mine, state, rtol=2e-5, atol=1e-4)
