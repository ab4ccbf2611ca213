import json

import diffusers
import pytest
import torch

from samplerbench.methods import GRIDS, VE, Cosine, DiscreteVP, Field, Linear, SpecError, get, sample
from samplerbench.sweep.plan import Sweep
from samplerbench.sweep.session import Session

STEPS = (1, 2, 3, 5, 7, 10, 50, 999)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("path", [DiscreteVP(), Cosine(), Linear(), VE()], ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("name", GRIDS.names())
def test_a_grid_has_exactly_the_steps_asked_for(name, path, steps):
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
    if name == "leading" and steps not in (2, 5, 10, 50):
        # diffusers strides by T // n, so that 999 steps start at timestep 998; it agrees to one timestep.
        assert (ours - scheduler.timesteps).abs().max() <= 1
    else:
        torch.testing.assert_close(ours, scheduler.timesteps)


def test_noise_level_grids_are_even_in_their_own_variable():
    path = DiscreteVP()
    log_snr = path.log_snr(GRIDS.get("logsnr")(20, path)[:-1])
    torch.testing.assert_close(log_snr.diff(), log_snr.diff().mean().expand(19), rtol=1e-6, atol=1e-6)
    ratio = (-path.log_snr(GRIDS.get("karras[rho=5]")(20, path)[:-1]) / 2).exp() ** (1 / 5)
    torch.testing.assert_close(ratio.diff(), ratio.diff().mean().expand(19), rtol=1e-6, atol=1e-6)


def test_more_steps_than_timesteps_is_an_error_not_a_shorter_grid():
    with pytest.raises(SpecError, match="cannot make 1001 steps"):
        GRIDS.get("trailing")(1001, DiscreteVP())


def test_a_grid_file_samples_as_the_times_in_it_and_a_changed_one_is_another_cell(tmp_path, small_net):
    file, path = tmp_path / "mine.json", DiscreteVP()
    facts = {"format": "samplerbench grid 1", "method": "ddim", "recipe": "ddpm", "path": repr(path)}
    file.write_text(json.dumps(facts | {"times": {"5": GRIDS.get("quadratic")(5, path).tolist()}}))
    x, field = torch.randn(2, 1, 8, 8), Field(small_net, path, "eps")
    same = [sample(get("ddim"), field, x, 5, None, grid=grid) for grid in (str(file), "quadratic")]
    torch.testing.assert_close(*same, rtol=0, atol=0)

    def cell() -> tuple[str, dict]:
        sweep = Sweep(methods="ddim", steps="5", grid=str(file), quality=False, output=str(tmp_path / "run"))
        session = Session(sweep)
        return session.cell(session.jobs[0]), session.facts()["grids"]

    before = cell()
    file.write_text(json.dumps(facts | {"times": {"5": GRIDS.get("uniform")(5, path).tolist()}}))
    after = cell()
    assert before[0] != after[0]
    assert before[1].keys() == after[1].keys() == {str(file)}
