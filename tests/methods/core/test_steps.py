from math import exp, sqrt

import pytest
import torch

from samplerbench.methods import DiscreteVP, Linear
from samplerbench.methods.core.steps import eps_step, x0_step

NOW, THEN = DiscreteVP().along(torch.tensor([0.6, 0.4]))


def test_steps_are_exact_for_constant_x0_and_eps():
    x0, eps = 0.7, -1.3
    x, expected = NOW.alpha * x0 + NOW.sigma * eps, THEN.alpha * x0 + THEN.sigma * eps
    keep, gain, std = x0_step(NOW, THEN)
    assert (keep * x + gain * x0, std) == pytest.approx((expected, 0))
    keep, gain = eps_step(NOW, THEN)
    assert keep * x + gain * eps == pytest.approx(expected)


@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_the_stochastic_step_is_that_of_the_docstring(eta):
    h = (DiscreteVP().log_snr(torch.tensor([0.6, 0.4])) / 2).diff().item()
    assert x0_step(NOW, THEN, eta) == pytest.approx(
        (
            THEN.sigma / NOW.sigma * exp(-eta * h),
            THEN.alpha * (1 - exp(-(1 + eta) * h)),
            THEN.sigma * sqrt(1 - exp(-2 * eta * h)),
        ),
        rel=1e-6,
    )


def test_steps_exist_without_signal_at_the_start_and_without_noise_at_the_end():
    start, middle, end = Linear().along(torch.tensor([1.0, 0.25, 0.0]))
    assert x0_step(start, middle) == (0.25, 0.75, 0.0)
    assert x0_step(middle, end, 0.5) == (0.0, 1.0, 0.0)
