"""Closed forms against brute force."""

import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.data.distributions import Empirical, cosines
from samplerbench.methods import VE, VP, Linear

EXACT = ["gaussian", "mixture", "empirical"]
PATHS = [VP(), Linear(), VE(0.01, 30.0)]


def distribution(name):
    return DATASETS.get(name).distribution


def score(known, x, alpha, sigma):
    """The gradient of log p(x) by its definition, from log p alone."""
    x = x.clone().requires_grad_()
    if isinstance(known, Empirical):
        logs = -(x[:, None] - alpha * known.images).square().sum(2) / 2 / sigma**2
    else:
        covariances = alpha**2 * (known.axes * known.variances[:, None]) @ known.axes.mT
        covariances = covariances + sigma**2 * torch.eye(x.shape[1], dtype=x.dtype)
        parts = torch.distributions.MultivariateNormal(alpha * known.means, covariances)
        logs = parts.log_prob(x[:, None])
    return torch.autograd.grad(logs.logsumexp(1).sum(), x)[0]


@pytest.mark.parametrize("name", EXACT)
def test_posterior_is_the_score_of_the_density(name):
    known = distribution(name)
    alpha, sigma = torch.tensor([[0.8]], dtype=torch.float64), torch.tensor([[0.6]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    x = alpha * known.draw(5, generator)
    x = x + sigma * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    x0, eps = known.posterior(x, alpha, sigma)
    torch.testing.assert_close(-eps / sigma, score(known, x, 0.8, 0.6))
    torch.testing.assert_close(alpha * x0 + sigma * eps, x)


@pytest.mark.parametrize("name", EXACT)
def test_moments_are_those_of_many_draws(name):
    known = distribution(name)
    drawn = known.draw(200_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), known.moments.mean, rtol=0, atol=0.01)
    torch.testing.assert_close(drawn.T.cov(), known.moments.covariance, rtol=0, atol=0.015)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_flow_solves_the_probability_flow_ode(name, path):
    # The slope dx/dt = alpha' E[x0 | x] + sigma' E[eps | x], by central differences of the flow map in time.
    known, h = distribution(name), 1e-5
    x = torch.randn(3, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * path.prior_std
    for t in (0.7, 0.3):
        (now,) = path.along(torch.tensor([t]))
        reached, before, after = (known.flow(x, path, 1.0, end) for end in (t, t - h, t + h))
        x0, eps = known.posterior(reached, torch.tensor(now.alpha), torch.tensor(now.sigma))
        slope = now.d_alpha * x0 + now.d_sigma * eps
        torch.testing.assert_close((after - before) / (2 * h), slope, rtol=1e-4, atol=1e-4)


def test_solved_flow_of_a_gaussian_equals_its_closed_form():
    known = distribution("gaussian")
    x = torch.randn(8, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    solved = super(type(known), known).flow(x, VP())
    torch.testing.assert_close(solved, known.flow(x, VP()), rtol=0, atol=1e-9)


def test_flow_of_a_finite_set_ends_on_its_members():
    known = distribution("empirical")
    x = torch.randn(8, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    nearest = torch.cdist(known.flow(x, Linear()), known.images).min(1).values
    assert nearest.max() < 1e-6


def test_cosine_basis_is_orthonormal_with_slow_frequencies_first():
    basis = cosines(4)
    torch.testing.assert_close(basis.T @ basis, torch.eye(16, dtype=torch.float64))
    torch.testing.assert_close(basis[:, 0], torch.full((16,), 0.25, dtype=torch.float64))


def test_log_density_is_the_mean_of_the_gaussians_densities():
    known = distribution("mixture")
    x = known.draw(5, torch.Generator().manual_seed(0))
    covariances = (known.axes * known.variances[:, None]) @ known.axes.mT
    parts = torch.distributions.MultivariateNormal(known.means, covariances)
    torch.testing.assert_close(known.log_density(x), parts.log_prob(x[:, None]).exp().mean(1).log())
    assert distribution("empirical").log_density(torch.zeros(1, 64)) is None


@pytest.mark.parametrize("name", EXACT)
def test_draws_use_no_global_generator(name):
    before = torch.get_rng_state()
    first, again = (distribution(name).draw(4, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(before, torch.get_rng_state())
