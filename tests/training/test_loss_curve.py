import warnings

import pytest
import torch

from samplerbench.training.loss_curve import LossCurve


@pytest.fixture
def curve(tmp_path):
    return LossCurve(tmp_path / "flow.loss.csv", every=2, iteration=0)


def test_a_point_is_the_mean_since_the_previous_one(curve):
    points = [curve.add(i, torch.tensor(float(i)), batch_size=8) for i in (1, 2, 3, 4)]
    assert [point and (point.iteration, point.loss) for point in points] == [None, (2, 1.5), None, (4, 3.5)]
    assert points[1].rate > 0
    assert [line.split(",")[:2] for line in curve.path.read_text().splitlines()] == [
        ["iteration", "loss"], ["2", "1.5"], ["4", "3.5"],
    ]  # fmt: skip


def test_points_after_the_iteration_that_is_resumed_are_cut(curve):
    for i in range(1, 7):
        curve.add(i, torch.tensor(1.0), 8)
    resumed = LossCurve(curve.path, every=2, iteration=3)
    resumed.add(4, torch.tensor(5.0), 8)
    assert [line.split(",")[:2] for line in curve.path.read_text().splitlines()[1:]] == [["2", "1.0"], ["4", "5.0"]]


@pytest.mark.parametrize("losses", [[2.0, 1.0], [-1.0, -2.0], []], ids=["positive", "negative", "none"])
def test_any_losses_can_be_plotted(losses, curve):
    """A logarithmic axis of negative losses, as a learned solver has, would warn and stay empty."""
    for i, loss in enumerate(losses, 1):
        curve.add(2 * i, torch.tensor(loss), 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve.plot()
    assert curve.path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
