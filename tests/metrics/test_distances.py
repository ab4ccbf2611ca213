from math import cos, pi, sin

import pytest
import torch

from samplerbench.metrics.distances import transport_distance


def test_novelty_is_zero_for_copies_and_one_for_unseen_images(columns_of, real):
    assert columns_of("novelty", real, real.train)["novelty"] == pytest.approx(0, abs=1e-3)
    assert columns_of("novelty", real, real.test)["novelty"] == pytest.approx(1)


def test_the_transport_distance_of_a_rotation_is_known():
    # A regular polygon turned by half the angle between its corners: every corner moves by the same chord.
    corners = torch.arange(6, dtype=torch.float64) * pi / 3
    first, second = (torch.stack((angle.cos(), angle.sin()), 1) for angle in (corners, corners + pi / 6))
    chord = 2 * sin(pi / 12)
    assert transport_distance(first, second[torch.tensor([3, 1, 0, 5, 2, 4])]) == pytest.approx(chord)
    assert transport_distance(first, first + torch.tensor([3 * cos(1.0), 3 * sin(1.0)])) == pytest.approx(3)


def test_wasserstein_compares_as_many_samples_as_real_images(columns_of, real_features, grid):
    far = torch.tensor([1e6, 0.0]).double()
    real = real_features(torch.cat((grid[:50], grid[50:] + far)), torch.cat((grid[:50] + 2, grid[50:])))
    samples = torch.cat((grid[:50] + 3, grid[50:]))
    found = columns_of("wasserstein[images=50]", real, samples, sizes=(20, 100))
    # Only the first 50 of each count: all others are a million away.
    assert found == pytest.approx({"wasserstein": 18**0.5, "wasserstein_floor": 8**0.5}, rel=0.05)
