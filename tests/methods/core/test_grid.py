import diffusers
import numpy as np
import pytest
import torch

from samplerbench.methods import GRIDS, VE, Cosine, DiscreteVP, Field, Linear, SpecError, get, sample


@pytest.mark.parametrize("steps", [1, 2, 5, 50, 999])
@pytest.mark.parametrize("path", [DiscreteVP(), Cosine(), Linear(), VE()], ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("name", sorted({*GRIDS.names()} - {"ddim-quadratic"}))
def test_a_grid_decreases_from_noise_to_data_in_the_given_number_of_steps(name, path, steps):
    times = GRIDS.get(name)(steps, path)
    assert times.shape == (steps + 1,)
    assert (times.diff() < 0).all()
    assert times[-1] == 0
    assert times[0] == 1 or (name in ("leading", "ddim-uniform") and 0 < times[0] < 1)


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


@pytest.mark.parametrize("steps", [1, 2, 10])
@pytest.mark.parametrize("path", [DiscreteVP(), Cosine(), Linear(), VE()], ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("name", ["uniform", "quadratic", "logsnr", "karras"])
def test_a_grid_may_end_above_zero(name, path, steps):
    times = GRIDS.get(f"{name}[end=0.05]")(steps, path)
    assert times.shape == (steps + 1,)
    assert times[0] == 1
    ratio = (-path.log_snr(times[-1:]) / 2).exp().item()
    assert ratio == pytest.approx(0.05, rel=1e-6)


def test_grids_with_an_end_are_evenly_spaced_in_their_variable():
    path = DiscreteVP()
    log_snr = path.log_snr(GRIDS.get("logsnr[end=0.02]")(12, path))
    torch.testing.assert_close(log_snr.diff(), log_snr.diff().mean().expand(12), rtol=1e-6, atol=1e-6)
    ratio = (-path.log_snr(GRIDS.get("karras[end=0.02]")(12, path)) / 2).exp() ** (1 / 7)
    torch.testing.assert_close(ratio.diff(), ratio.diff().mean().expand(12), rtol=1e-6, atol=1e-6)


def test_an_end_above_the_noise_is_an_error():
    with pytest.raises(SpecError, match="cannot make 5 steps"):
        GRIDS.get("karras[end=1e6]")(5, DiscreteVP())


def ddims(kind: str, points: int) -> list[int]:
    """The sequence of runners/diffusion.py in ermongroup/ddim, of 1000 timesteps from 0."""
    if kind == "uniform":
        return list(range(0, 1000, 1000 // points))
    return [int(s) for s in np.linspace(0, np.sqrt(1000 * 0.8), points) ** 2]


@pytest.mark.parametrize("points", [10, 20, 50, 100])
@pytest.mark.parametrize("kind", ["uniform", "quadratic"])
def test_ddims_grids_are_those_of_its_code(kind, points):
    distinct = sorted(set(ddims(kind, points)), reverse=True)
    spec = "ddim-uniform" if kind == "uniform" else f"ddim-quadratic[points={points}]"
    times = GRIDS.get(spec)(len(distinct), DiscreteVP())
    assert (1000 * times).round().tolist() == [*(i + 1 for i in distinct), 0]


@pytest.mark.parametrize("points", [10, 100])
@pytest.mark.parametrize("kind", ["uniform", "quadratic"])
def test_ddim_on_them_is_the_loop_of_its_code(kind, points, small_net):
    """With its repeated timesteps, which change nothing."""
    net, path = small_net.double(), DiscreteVP()
    abar = torch.cat((torch.ones(1), (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)))
    start = torch.randn(2, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, sequence = start, ddims(kind, points)
    for i, j in zip(reversed(sequence), reversed([-1, *sequence[:-1]]), strict=True):
        now, then = abar[i + 1], abar[j + 1]
        eps = net(x, torch.full((2,), (i + 1) / 1000, dtype=torch.float64))
        x = then.sqrt() * (x - eps * (1 - now).sqrt()) / now.sqrt() + (1 - then).sqrt() * eps
    steps = len(set(sequence))
    spec = "ddim-uniform" if kind == "uniform" else f"ddim-quadratic[points={points}]"
    ours = sample(get("ddim"), Field(net, path, "eps"), start, steps, torch.zeros_like, spec)
    torch.testing.assert_close(ours, x, rtol=1e-8, atol=1e-8)
    small_net.float()


def test_repeated_timesteps_of_ddim_are_an_error_that_says_what_to_do():
    with pytest.raises(SpecError, match=r"use ddim-quadratic\[points=100\] with 96 steps"):
        GRIDS.get("ddim-quadratic")(100, DiscreteVP())
    with pytest.raises(SpecError, match="at most 1000 steps"):
        GRIDS.get("ddim-uniform")(1001, DiscreteVP())


@pytest.mark.parametrize("name", ["logsnr", "karras"])
def test_noise_level_grids_end_at_the_smallest_time_of_the_path(name):
    for path in (DiscreteVP(), Linear()):
        assert GRIDS.get(name)(20, path)[-2].item() == pytest.approx(path.t_min)


def test_more_steps_than_timesteps_are_an_error():
    with pytest.raises(SpecError, match="The grid trailing cannot make 1001 steps"):
        GRIDS.get("trailing")(1001, DiscreteVP())
