import pytest
import torch

from samplerbench.metrics import neighbours
from samplerbench.metrics.neighbours import count_in_balls, covered, mean_distance, nearest_distances, radii


@pytest.fixture(params=[1, 7, 512])
def points(request, monkeypatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets of points, whose distances are computed in chunks of several sizes."""
    monkeypatch.setattr(neighbours, "CHUNK", request.param)
    drawn = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return drawn[:30], drawn[30:]


def distances(x, y):
    """All distances, written out."""
    return (x[:, None] - y[None]).norm(dim=2)


def test_nearest_distances_are_the_least(points):
    x, y = points
    torch.testing.assert_close(nearest_distances(x, y), distances(x, y).min(1).values)


def test_radii_leave_out_the_point_itself(points):
    x, _ = points
    for count in (1, 4):
        torch.testing.assert_close(radii(x, count), distances(x, x).sort(1).values[:, count])


def test_balls_are_counted_and_covered(points):
    x, centres = points
    reach = torch.linspace(0.2, 2.0, len(centres), dtype=torch.float64)
    inside = distances(x, centres) <= reach
    assert 0 < inside.sum() < inside.numel()
    assert torch.equal(count_in_balls(x, centres, reach), inside.sum(1).double())
    assert torch.equal(covered(x, centres, reach), inside.any(0))


def test_balls_may_be_closed_or_open():
    x, reach = torch.tensor([[0.0, 0.0]]), torch.tensor([1.0])
    centre = torch.tensor([[1.0, 0.0]])
    assert count_in_balls(x, centre, reach).tolist() == [1]
    assert count_in_balls(x, centre, reach, torch.lt).tolist() == [0]
    assert covered(x, centre, reach).tolist() == [False]


def test_the_mean_distance_is_that_of_all_pairs(real):
    x = real.reference
    expected = distances(x, x).sum() / (len(x) * (len(x) - 1))
    assert mean_distance(x) == pytest.approx(expected.item(), rel=1e-9)


def test_the_mean_distance_of_many_is_estimated_from_some_of_all():
    x = torch.arange(6000.0).double()[:, None]  # sorted: the first 2000 alone would give 2000 / 3
    assert mean_distance(x) == pytest.approx(6000 / 3, rel=0.02)
    assert mean_distance(x) == mean_distance(x)


def test_equal_points_are_at_distance_zero():
    """Distances by products of matrices come out as 1e-6, and decide ties at random."""
    x = 10 * torch.randn(40, 64, generator=torch.Generator().manual_seed(0))
    assert nearest_distances(x, x).eq(0).all()
