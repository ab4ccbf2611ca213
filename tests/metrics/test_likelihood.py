"""Likelihoods of Gaussians, which are known."""

from dataclasses import replace
from math import log, pi

import pytest
import torch

from samplerbench.methods import GRIDS, VP, DiscreteVP, Field, Linear
from samplerbench.metrics.likelihood import bound, log_bin, log_density, log_normal


def seeded(seed: int):
    generator = torch.Generator().manual_seed(seed)
    return lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype)


def normal(gaussian, x):
    """log N(x; mean, std^2) of each image."""
    return (log_normal((x - gaussian.mean) / gaussian.std, 1.0) - gaussian.std.log().sum()).flatten()


# The density by the ODE


def test_the_density_of_a_gaussian_is_exact(gaussian):
    """On the straight path the ODE runs all the way; its Jacobian is diagonal, so one probe gives the whole trace."""
    x = gaussian.mean + gaussian.std * seeded(0)(torch.empty(5, 1, 4, 4, dtype=torch.float64))
    found = log_density(gaussian.field(Linear(), "velocity"), x, seeded(1), tolerance=1e-9)
    torch.testing.assert_close(found, normal(gaussian, x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", [VP(), DiscreteVP()], ids=lambda path: type(path).__name__)
def test_where_the_velocity_is_singular_it_is_that_of_the_flow_from_t_min(path, gaussian):
    x = gaussian.mean + gaussian.std * seeded(0)(torch.empty(5, 1, 4, 4, dtype=torch.float64))
    found = log_density(gaussian.field(path), x, seeded(1), tolerance=1e-8)
    images = torch.stack([gaussian.flow(path, x + offset, path.t_min, 1.0) for offset in (0.0, 1.0)])
    stretch = (images[1] - images[0]).log().flatten(1).sum(1)  # the flow is affine in each pixel
    torch.testing.assert_close(found, log_normal(images[0], 1.0) + stretch, rtol=0, atol=1e-4)
    assert (found - normal(gaussian, x)).abs().max() < 0.05, "t_min and the prior cost little"


def test_hutchinsons_estimate_is_unbiased_where_pixels_are_correlated():
    root = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) / 2
    covariance, path = root @ root.T + 0.1 * torch.eye(4, dtype=torch.float64), Linear()

    def velocity(x, t):
        now = path.along(t[:1])[0]
        within = now.alpha**2 * covariance + now.sigma**2 * torch.eye(4, dtype=torch.float64)
        whitened = torch.linalg.solve(within, x.flatten(1).T)
        return (now.d_alpha * now.alpha * covariance @ whitened + now.d_sigma * now.sigma * whitened).T.view_as(x)

    x = torch.tensor([0.3, -0.2, 0.5, 0.1], dtype=torch.float64).view(1, 1, 2, 2).expand(4000, 1, 2, 2)
    found = log_density(Field(velocity, path, "velocity"), x, seeded(3), tolerance=1e-7)
    exact = torch.distributions.MultivariateNormal(torch.zeros(4, dtype=torch.float64), covariance).log_prob(
        x[0].flatten()
    )
    error = found.std() / len(found) ** 0.5
    assert 1e-4 < error < 0.1
    assert abs(found.mean() - exact) < 4 * error


# The variational bound


@pytest.fixture
def narrow(gaussian):
    """Well within [-1, 1], where the outermost bins begin."""
    return replace(gaussian, mean=gaussian.mean / 5, std=gaussian.std / 10)


def drawn_bound(gaussian, grid: str, steps: int, images: int, width: float = 1e-4):
    noise, path = seeded(4), VP()
    x0 = gaussian.mean + gaussian.std * noise(torch.empty(images, 1, 4, 4, dtype=torch.float64))
    times = GRIDS.get(grid)(steps, path)
    return x0, path.along(times), bound(gaussian.field(path), x0, width, times, noise)


def test_each_term_of_the_bound_on_a_gaussian_is_its_closed_form(narrow):
    width = 1e-4
    _, grid, found = drawn_bound(narrow, "uniform", 20, 4000, width)
    variance = narrow.std**2
    left = [(variance * m.sigma**2 / (m.alpha**2 * variance + m.sigma**2)).sum().item() for m in grid[:-1]]
    snr = [(m.alpha / m.sigma) ** 2 for m in grid[:-1]]
    transitions = [(b - a) / 2 * rest for a, b, rest in zip(snr, snr[1:], left, strict=False)]
    last, first = grid[0], grid[-2]
    prior = ((last.alpha**2 * (narrow.mean**2 + variance) + last.sigma**2 - 1) / 2 - log(last.sigma)).sum().item()
    std = first.sigma / first.alpha
    decoder = 16 * (log(2 * pi) / 2 + log(std) - log(width)) + left[-1] / (2 * std**2)

    def agrees(values, expected):
        return abs(values.mean() - expected) < 4 * values.std() / len(values) ** 0.5 + 1e-9

    assert agrees(found.prior, prior)
    assert agrees(found.decoder, decoder)
    assert len(transitions) == found.transitions.shape[1] == 19
    assert all(agrees(found.transitions[:, i], expected) for i, expected in enumerate(transitions))
    assert agrees(found.total, prior + sum(transitions) + decoder)


def test_the_bound_lies_above_the_exact_value_and_closes_in_as_the_steps_in_log_snr_shrink(narrow):
    gaps = []
    for steps in (20, 80, 320):
        x0, _, found = drawn_bound(narrow, "logsnr", steps, 500)
        excess = found.total + normal(narrow, x0) + 16 * log(1e-4)
        gaps.append(excess.mean().item())
    assert gaps[0] > 3 * gaps[1] > 6 * gaps[2] > 0


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.3), (0.99, 0.02), (-1.5, 0.01), (3.0, 5.0)])
def test_the_bins_of_the_decoder_share_all_mass_and_never_underflow(mean, std):
    levels = torch.linspace(-1, 1, 17, dtype=torch.float64).view(-1, 1, 1, 1)
    found = log_bin(levels, torch.full_like(levels, mean), std, 1 / 8)
    assert found.isfinite().all()
    assert found.exp().sum().item() == pytest.approx(1)
