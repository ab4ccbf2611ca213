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
    """Progress every other iteration."""
    monkeypatch.setattr(run, "LOG_EVERY", 2)


@pytest.fixture
def plan(tmp_path):
    """plan(recipe, folder=None, **options): the trainings that a recipe needs, of six iterations, each saved."""

    def plan(recipe: str = "flow", folder: str = "", **options) -> list[Training]:
        output = str(tmp_path / folder)
        usual = TrainOptions(iterations=6, batch_size=16, save_every=0.0, device="cpu", output=output)
        return plan_chain(recipe, replace(usual, **options))

    return plan


@pytest.fixture
def inputs(digits, tmp_path) -> Inputs:
    return Inputs(DATASETS.get("digits"), digits, str(tmp_path), torch.device("cpu"))
