"""Each broken plug-in fails the check of grids that is meant for it, and no other."""

import pytest
import torch

from samplerbench.methods import Grid


class SoundGrid(Grid):
    """Even times: sound, before a test breaks it."""

    def times(self, steps, path):
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


class EndsAboveData(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path) * 0.99 + 0.01


class StartsAboveOne(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path) * 1.01


class OneTimeTooMany(SoundGrid):
    def times(self, steps, path):
        return super().times(steps + 1, path)


class SinglePrecision(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path).float()


class StopsAtTenSteps(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path) if steps <= 10 else torch.zeros(steps + 1, dtype=torch.float64)


class Jittered(SoundGrid):
    def times(self, steps, path):
        return super().times(steps, path) ** (1 + torch.rand((), dtype=torch.float64))


@pytest.mark.parametrize(
    ("grid", "caught"),
    [
        (SoundGrid, {}),
        (EndsAboveData, {"falls_from_noise_to_data": "ends at t = 0.01"}),
        (StartsAboveOne, {"falls_from_noise_to_data": "starts at t = 1.01"}),
        (OneTimeTooMany, {"falls_from_noise_to_data": "times of shape (3,), not (2,)"}),
        (SinglePrecision, {"falls_from_noise_to_data": "times in torch.float32"}),
        (StopsAtTenSteps, {"makes_any_number_of_steps": "makes no 20 steps"}),
        (Jittered, {"makes_the_same_times_again": "other times at another call"}),
    ],
)
def test_a_broken_grid_fails_the_check_meant_for_it(grid, caught, assert_caught):
    assert_caught(grid, caught)
