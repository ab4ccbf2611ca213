"""The search for a time grid, and what it may claim."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.methods import GRIDS, DiscreteVP, TunedGrid
from samplerbench.sampling.noise import HOLDOUT, SEARCH
from samplerbench.sweep.options import TuneOptions
from samplerbench.sweep.tune import Tuning, compare


@pytest.fixture(autouse=True)
def _quick(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("samplerbench.sweep.grid_search.REFERENCE", "pf_ode[solver=dopri5,rtol=0.01,atol=0.01]")


def test_a_search_does_not_lose_to_the_grids_it_starts_from_and_its_file_is_a_grid():
    tuning = Tuning(TuneOptions("ddim", "4,4,3", images=8, evaluations=24))
    started = list(tuning.run())
    assert [event.steps for event in started] == [4, 3]
    assert all(len(GRIDS.names()) - 2 < event.progress.tried <= 24 for event in started)
    four, three = tuning.found
    assert (four.steps, four.nfe, three.steps) == (4, 4, 3)
    registered = [tuning.errors[0].squares(times, SEARCH).mean() for times in tuning.errors[0].registered().values()]
    assert started[0].progress.rmse < 0.97 * min(registered) ** 0.5, "it improves on the grids it starts from"
    assert TunedGrid(str(tuning.output))(4, DiscreteVP()).tolist() == four.times
    assert set(json.loads(tuning.output.read_text())["times"]) == {"3", "4"}


@pytest.mark.parametrize(("factor", "spread", "kept"), [(0.5, 0.1, ""), (1.0, 0.1, "leading"), (0.97, 1.0, "leading")])
def test_a_grid_is_called_better_only_if_it_significantly_is(factor, spread, kept, monkeypatch):
    """As good, or better by less than its scatter from image to image: then the best registered grid is kept."""
    error = Tuning(TuneOptions("ddim", "4", images=8)).errors[0]
    searched = torch.tensor([1, 0.7, 0.4, 0.1, 0], dtype=torch.float64)
    levels = {tuple(times.tolist()): 1.0 + (name != "leading") for name, times in error.registered().items()}
    scatter = spread * np.array([1, -1, 1, -1, 1, -1, 1, -1]) * 0.5

    def squares(times, purpose):
        assert purpose == HOLDOUT
        return np.full(8, levels[key]) if (key := tuple(times.tolist())) in levels else factor + scatter

    monkeypatch.setattr(error, "squares", squares)
    found = compare(error, searched)
    assert (found.rival, found.kept) == ("leading", kept)
    assert found.times == (error.registered()["leading"] if kept else searched).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ddpm"], "draws noise while sampling"),
        (["flow[solver=dopri5]"], "adaptive"),
        (["heun", "--nfe", "1"], "leaves no time to choose"),
        (["flow[solver=rk4]", "--nfe", "3"], "one step takes more than 3 evaluations"),
        (["meanflow"], "probability-flow ODE"),
        (["dimm"], "Did you mean 'ddim'?"),
        (["ddim", "--output", "grid.csv"], "end in .json"),
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
