import diffusers
import pytest
import torch

from samplerbench.methods import GRIDS, VE, Cosine, DiscreteVP, Linear, SpecError


@pytest.mark.parametrize("steps", [1, 2, 5, 50, 999])
@pytest.mark.parametrize("path", [DiscreteVP(), Cosine(), Linear(), VE()], ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("name", GRIDS.names())
def test_a_grid_decreases_from_noise_to_data_in_the_given_number_of_steps(name, path, steps):
    times = GRIDS.get(name)(steps, path)
    assert times.shape == (steps + 1,)
    assert (times.diff() < 0).all()
    assert times[-1] == 0
    assert times[0] == 1 or (name == "leading" and 0 < times[0] < 1)


@pytest.mark.parametrize("steps", [2, 5, 10, 50, 999])
@pytest.mark.parametrize("name", ["leading", "linspace", "trailing"])
def test_discrete_grids_are_those_of_diffusers(name, steps):
    scheduler = diffusers.DDIMScheduler(timestep_spacing=name)
    scheduler.set_timesteps(steps)
    ours = (GRIDS.get(name)(steps, DiscreteVP())[:-1] * 1000).round().long() - 1
    if name == "leading" and steps == 999:
        # diffusers strides by T // n, so its 999 steps start at timestep 998; ours agree to one timestep.
        assert (ours - scheduler.timesteps).abs().max() <= 1
    else:
        torch.testing.assert_close(ours, scheduler.timesteps)


def test_uniform_and_quadratic_grids_are_their_formulas():
    t = 1 - torch.arange(8, dtype=torch.float64) / 7
    torch.testing.assert_close(GRIDS.get("uniform")(7, Linear()), t)
    torch.testing.assert_close(GRIDS.get("quadratic")(7, Linear()), t**2)


def test_noise_level_grids_are_evenly_spaced_in_their_variable():
    path = DiscreteVP()
    log_snr = path.log_snr(GRIDS.get("logsnr")(20, path)[:-1])
    torch.testing.assert_close(log_snr.diff(), log_snr.diff().mean().expand(19), rtol=1e-6, atol=1e-6)
    ratio = (-path.log_snr(GRIDS.get("karras[rho=5]")(20, path)[:-1]) / 2).exp() ** (1 / 5)
    torch.testing.assert_close(ratio.diff(), ratio.diff().mean().expand(19), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["logsnr", "karras"])
def test_noise_level_grids_end_at_the_smallest_time_of_the_path(name):
    for path in (DiscreteVP(), Linear()):
        assert GRIDS.get(name)(20, path)[-2].item() == pytest.approx(path.t_min)


def test_more_steps_than_timesteps_are_an_error():
    with pytest.raises(SpecError, match="The grid trailing cannot make 1001 steps"):
        GRIDS.get("trailing")(1001, DiscreteVP())
