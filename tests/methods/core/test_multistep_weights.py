import numpy as np
import pytest
import torch

from samplerbench.methods import DiscreteVP, Linear
from samplerbench.methods.core.multistep_weights import history, lambda_weights

PATH = DiscreteVP()
TIMES = torch.tensor([0.8, 0.71, 0.66, 0.5], dtype=torch.float64)


def test_known_slopes_are_listed_newest_first():
    nan = np.nan
    np.testing.assert_equal(history([8, 7, 6, 5], [1, 2, 2]), [[8, nan], [7, 8], [6, 7]])
    np.testing.assert_equal(history([8, 7, 6, 5], [2, 3, 1], ahead=True), [[7, 8, nan], [6, 7, 8], [5, nan, nan]])


@pytest.mark.parametrize("rate", [1.0, 2.0, 1.25, -1.0])
@pytest.mark.parametrize("ahead", [False, True])
def test_weights_in_lambda_are_means_of_the_interpolating_polynomial(rate, ahead):
    lambdas, f = PATH.log_snr(TIMES) / 2, torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    *_, weights = lambda_weights(PATH.along(TIMES), [1 + ahead, 2, 3], rate, ahead)
    powers, known = torch.arange(3), lambdas[1:] if ahead else lambdas[:3]
    coefficients = torch.linalg.solve(known[:, None] ** powers, f)
    u = torch.linspace(lambdas[2], lambdas[3], 100001, dtype=torch.float64)
    measure = (rate * u).exp()
    mean = torch.trapezoid(measure * (u[:, None] ** powers @ coefficients), u) / torch.trapezoid(measure, u)
    assert sum(w * v for w, v in zip(weights, f.tolist()[::-1], strict=True)) == pytest.approx(mean.item(), rel=1e-8)


@pytest.mark.parametrize("ahead", [False, True])
def test_without_signal_or_noise_at_an_end_the_newest_slope_has_all_the_weight(ahead):
    grid = Linear().along(torch.tensor([1.0, 0.6, 0.3, 0.0]))
    first, second, third = lambda_weights(grid, [1 + ahead, 2, 2], 1.0, ahead)
    assert first == [1.0, 0.0][: 1 + ahead]
    assert third == [1.0, 0.0]
    # In the second interval, a slope at the first time is known only at lambda = -inf, and has no weight.
    assert second == (pytest.approx([1.0, 0.0]) if not ahead else pytest.approx([0.5, 0.5], abs=0.2))
    assert sum(second) == pytest.approx(1)
