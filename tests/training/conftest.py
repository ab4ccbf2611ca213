"""Short trainings on the digits."""

from dataclasses import replace

import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.training import run
from samplerbench.training.options import TrainOptions
from samplerbench.training.plan import Training, plan_chain
from samplerbench.training.tasks import Inputs


@pytest.fixture
def short(monkeypatch):
    """Progress every other iteration, and a save after each."""
    monkeypatch.setattr(run, "LOG_EVERY", 2)
    monkeypatch.setattr(run, "SAVE_AFTER", 0.0)


@pytest.fixture
def plan(tmp_path):
    """plan(recipe, folder=None, **options): the trainings that a recipe needs, of six iterations each."""

    def plan(recipe: str = "flow", folder: str = "", **options) -> list[Training]:
        usual = TrainOptions(iterations=6, batch_size=16, device="cpu", output=str(tmp_path / folder))
        return plan_chain(recipe, replace(usual, **options))

    return plan


@pytest.fixture
def inputs(digits, tmp_path) -> Inputs:
    return Inputs(DATASETS.get("digits"), digits, str(tmp_path), torch.device("cpu"))
