import pytest
import torch

from samplerbench.methods import VE, VP, Cosine, DiscreteVP, Linear, SubVP, Trigonometric, posterior_std
from samplerbench.methods.recipes.vdm import MonotoneSchedule
from samplerbench.testing.exact import normal


def bent() -> MonotoneSchedule:
    """A learned schedule with weights far from the initial ones."""
    path = MonotoneSchedule(units=3)
    torch.nn.init.constant_(path.heights, 3.0)
    torch.nn.init.constant_(path.shifts, -2.0)
    return path.requires_grad_(False)


PATHS = [DiscreteVP(), VP(), Cosine(), Linear(), SubVP(), Trigonometric(), bent(), VE()]
NOISY = ("VE", "MonotoneSchedule")  # paths that keep a little noise at t = 0


@pytest.fixture(params=PATHS, ids=lambda path: type(path).__name__)
def path(request):
    return request.param


def test_derivatives_agree_with_autograd(path):
    t = torch.linspace(0.002, 0.998, 200, dtype=torch.float64, requires_grad=True)
    alpha, sigma, d_alpha, d_sigma = path.coefficients(t)
    for value, derivative in ((alpha, d_alpha), (sigma, d_sigma)):
        # `0 * t` keeps constant coefficients in the graph.
        (expected,) = torch.autograd.grad((value + 0 * t).sum(), t, retain_graph=True)
        torch.testing.assert_close(derivative.detach(), expected, rtol=1e-9, atol=1e-10)


def test_log_snr_decreases_and_is_inverted(path):
    t = torch.linspace(0.001, path.t_max, 500, dtype=torch.float64)
    log_snr = path.log_snr(t)
    assert (log_snr.diff() < 0).all()
    torch.testing.assert_close(path.time_at(log_snr), t, rtol=0, atol=1e-10)


def test_moments_as_floats_and_as_tensors_agree(path):
    times = torch.linspace(0.1, 0.9, 5)
    moments = path.at(times)
    for index, moment in enumerate(path.along(times)):
        assert all(isinstance(value, float) for value in moment)
        assert [value[index].item() for value in moments] == pytest.approx(list(moment), rel=1e-6)
    assert moments.alpha.shape == (5, 1, 1, 1)


def test_discrete_vp_is_ddpms_product_of_alphas():
    n = torch.arange(1, 1001, dtype=torch.float64)
    abar = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
    alpha, sigma, *_ = DiscreteVP().coefficients(n / 1000)
    torch.testing.assert_close(alpha**2, abar, rtol=1e-11, atol=0)
    torch.testing.assert_close(sigma**2, 1 - abar, rtol=1e-11, atol=0)


def test_a_path_starts_at_data_or_close_to_it():
    for path in PATHS:
        (start,) = path.along(torch.zeros(1))
        if type(path).__name__ in NOISY:
            assert start.alpha == pytest.approx(1, abs=1e-6)
            assert 0 < start.sigma <= 0.01
        else:
            assert (start.alpha, start.sigma) == (1, 0)


def test_sampling_starts_with_the_standard_deviation_of_the_state_at_noise(path):
    (end,) = path.along(torch.ones(1))
    data_std = 0.5 if isinstance(path, Trigonometric) else 1.0
    # The signal that some paths keep at t = 1 is not part of the prior, and small.
    assert path.prior_std == pytest.approx((end.sigma**2 + (end.alpha * data_std) ** 2) ** 0.5, rel=4e-3)


def test_the_sub_vp_path_has_the_diffusion_coefficient_of_its_sde():
    t = torch.linspace(0.01, 1, 50, dtype=torch.float64)
    alpha, sigma, d_alpha, d_sigma = SubVP().coefficients(t)
    diffusion = 2 * sigma * (d_sigma - sigma * d_alpha / alpha)  # g^2 of the SDE with these marginals
    torch.testing.assert_close(diffusion, (0.1 + 19.9 * t) * (1 - alpha**4), rtol=1e-12, atol=0)


def test_the_posterior_of_a_respaced_chain_is_that_of_gaussians(path):
    """1 / var = 1 / var(x_s | x0) + r^2 / var(x_t | x_s), with r = alpha_t / alpha_s."""
    now, then = path.along(torch.tensor([0.7, 0.4]))
    r = now.alpha / then.alpha
    precision = 1 / then.sigma**2 + r**2 / (now.sigma**2 - r**2 * then.sigma**2)
    assert posterior_std(now, then) == pytest.approx(precision**-0.5)


def test_noisy_images_are_mixtures_at_one_time_per_image(path):
    x0, eps = normal(3, 1, 2, 2), normal(3, 1, 2, 2, seed=1)
    t = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    mixed = path.mix(x0, eps, path.at(t))
    for i, m in enumerate(path.along(t)):
        torch.testing.assert_close(mixed[i], m.alpha * x0[i] + m.sigma * eps[i])
