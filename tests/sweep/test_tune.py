"""The search for a time grid, and what it may claim."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.methods import GRIDS, VE, Cosine, DiscreteVP, GridFile, Linear
from samplerbench.sweep.marquardt import minimise
from samplerbench.sweep.tune import HELD_OUT, SEARCHED, Tuning, spaced, spacing


@pytest.fixture(autouse=True)
def _quick(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("samplerbench.sweep.tune.REFERENCE", "pf_ode[solver=dopri5,rtol=0.01,atol=0.01]")


def test_the_search_finds_the_end_of_a_curved_valley_within_its_bounds():
    def rosenbrock(point):
        return np.array([10 * (point[1] - point[0] ** 2), 1 - point[0]]) if point[0] < 1.5 else np.full(2, np.inf)

    evaluated = list(islice(minimise(rosenbrock, np.array([-1.2, 1.0])), 200))
    point, norm = evaluated[-1]
    np.testing.assert_allclose(point, [1, 1], atol=0.05)
    assert norm == pytest.approx(np.linalg.norm(rosenbrock(point)))
    norms = [norm for _, norm in evaluated]
    assert norms == sorted(norms, reverse=True)


@pytest.mark.parametrize("path", [DiscreteVP(), Cosine(), Linear(), VE()], ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("name", ["uniform", "karras", "leading"])
def test_coordinates_give_back_their_times_and_any_coordinates_give_times_that_fall(name, path):
    times = GRIDS.get(name)(8, path)
    torch.testing.assert_close(spaced(spacing(times, path), times, path), times, rtol=1e-5, atol=1e-6)
    moved = spaced(spacing(times, path) + np.linspace(-0.5, 0.3, 7), times, path)
    assert (moved.diff() <= 0).all()
    assert (moved[0], moved[-1]) == (times[0], 0)


def test_a_search_does_not_lose_to_the_grids_it_starts_from_and_its_file_is_a_grid():
    tuning = Tuning("ddim", "4,4,3", images=8, evaluations=16)
    steps = list(tuning.run())
    assert max(step.spent for step in steps) <= 16
    (four, three), (job, _) = tuning.found, tuning.jobs
    assert (four.steps, four.nfe, three.steps) == (4, 4, 3)
    first, *_, last = [step.rmse for step in steps if step.steps == 4]
    registered = {name: tuning.errors(job, times, SEARCHED).mean() for name, times in tuning.registered(job).items()}
    assert last < first == pytest.approx(min(registered.values()) ** 0.5)
    assert GridFile(str(tuning.output))(4, DiscreteVP()).tolist() == four.times
    assert set(json.loads(tuning.output.read_text())["times"]) == {"3", "4"}


@pytest.mark.parametrize(("factor", "spread", "kept"), [(0.5, 0.1, ""), (1.0, 0.1, "leading"), (0.97, 1.0, "leading")])
def test_a_grid_is_called_better_only_where_it_surely_is(factor, spread, kept, monkeypatch):
    """As good, or better by less than its scatter from image to image: then the best registered grid is kept."""
    tuning = Tuning("ddim", "4", images=8)
    (job,) = tuning.jobs
    searched = torch.tensor([1, 0.7, 0.4, 0.1, 0], dtype=torch.float64)
    levels = {tuple(times.tolist()): 1.0 + (name != "leading") for name, times in tuning.registered(job).items()}
    scatter = spread * np.array([1, -1, 1, -1, 1, -1, 1, -1]) * 0.5

    def errors(job, times, block):
        assert block == HELD_OUT
        return np.full(8, levels[key]) if (key := tuple(times.tolist())) in levels else factor + scatter

    monkeypatch.setattr(tuning, "errors", errors)
    found = tuning._judge(job, searched)
    assert (found.rival, found.kept) == ("leading", kept)
    assert found.times == (tuning.registered(job)["leading"] if kept else searched).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ddpm"], "draws noise on its way"),
        (["flow[solver=dopri5]"], "adaptive"),
        (["heun", "--nfe", "1"], "no interior times"),
        (["flow[solver=rk4]", "--nfe", "3"], "one step takes more than 3 evaluations"),
        (["dimm"], "Did you mean 'ddim'?"),
        (["ddim", "--output", "grid.csv"], "ends in .json"),
        (["ddim", "--nfe", "ten"], "--nfe takes whole numbers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_sentence(arguments, message):
    result = CliRunner().invoke(main, ["tune", *arguments])
    assert result.exit_code == 2
    (error,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert message in error
    assert not Path("grids").exists()
