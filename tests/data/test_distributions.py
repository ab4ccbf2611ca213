"""Data that is known in closed form: the formulas against brute force, and the columns that come of them."""

from math import cos, pi, sin

import numpy as np
import pytest
import torch

from samplerbench import run
from samplerbench.data.datasets import DATASETS
from samplerbench.data.distributions import cosines
from samplerbench.errors import InputError
from samplerbench.methods import VE, VP, Linear, get
from samplerbench.metrics.order import fitted_order
from samplerbench.metrics.transport import transport_distance
from samplerbench.sweep.plan import Job

EXACT = ["gaussian", "mixture", "empirical"]
PATHS = [VP(), Linear(), VE(0.01, 30.0)]


def distribution(name):
    return DATASETS.get(name).distribution


def score(known, x, alpha, sigma):
    """The gradient of log p(x) by its definition, from log p alone."""
    x = x.clone().requires_grad_()
    if hasattr(known, "images"):
        logs = -(x[:, None] - alpha * known.images).square().sum(2) / 2 / sigma**2
    else:
        covariances = alpha**2 * (known.axes * known.variances[:, None]) @ known.axes.mT
        covariances = covariances + sigma**2 * torch.eye(x.shape[1], dtype=x.dtype)
        parts = torch.distributions.MultivariateNormal(alpha * known.means, covariances)
        logs = parts.log_prob(x[:, None])
    return torch.autograd.grad(logs.logsumexp(1).sum(), x)[0]


@pytest.mark.parametrize("name", EXACT)
def test_the_posterior_is_the_score_of_the_density(name):
    known = distribution(name)
    alpha, sigma = torch.tensor([[0.8]], dtype=torch.float64), torch.tensor([[0.6]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    x = alpha * known.draw(5, generator)
    x = x + sigma * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    x0, eps = known.posterior(x, alpha, sigma)
    torch.testing.assert_close(-eps / sigma, score(known, x, 0.8, 0.6))
    torch.testing.assert_close(alpha * x0 + sigma * eps, x)


@pytest.mark.parametrize("name", EXACT)
def test_the_moments_are_those_of_many_draws(name):
    known = distribution(name)
    drawn = known.draw(200_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), known.statistics.mean, rtol=0, atol=0.01)
    torch.testing.assert_close(drawn.T.cov(), known.statistics.covariance, rtol=0, atol=0.015)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
@pytest.mark.parametrize("name", ["gaussian", "mixture"])
def test_the_flow_solves_the_probability_flow_ode(name, path):
    # The slope dx/dt = alpha' E[x0 | x] + sigma' E[eps | x], by central differences of the flow map in time.
    known, h = distribution(name), 1e-5
    x = torch.randn(3, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * path.prior_std
    for t in (0.7, 0.3):
        (now,) = path.along(torch.tensor([t]))
        reached, before, after = (known.flow(x, path, 1.0, end) for end in (t, t - h, t + h))
        x0, eps = known.posterior(reached, torch.tensor(now.alpha), torch.tensor(now.sigma))
        slope = now.d_alpha * x0 + now.d_sigma * eps
        torch.testing.assert_close((after - before) / (2 * h), slope, rtol=1e-4, atol=1e-4)


def test_the_solved_flow_of_one_gaussian_is_its_closed_form():
    known = distribution("gaussian")
    x = torch.randn(8, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    solved = super(type(known), known).flow(x, VP())
    torch.testing.assert_close(solved, known.flow(x, VP()), rtol=0, atol=1e-9)


def test_the_flow_of_a_finite_set_ends_on_its_members():
    known = distribution("empirical")
    x = torch.randn(8, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    nearest = torch.cdist(known.flow(x, Linear()), known.images).min(1).values
    assert nearest.max() < 1e-6


def test_the_cosine_basis_is_orthonormal_and_slow_first():
    basis = cosines(4)
    torch.testing.assert_close(basis.T @ basis, torch.eye(16, dtype=torch.float64))
    torch.testing.assert_close(basis[:, 0], torch.full((16,), 0.25, dtype=torch.float64))


def test_the_transport_distance_of_a_rotation_is_known():
    # A regular polygon turned by half the angle between its corners: every corner moves by the same chord.
    corners = torch.arange(6, dtype=torch.float64) * pi / 3
    first, second = (torch.stack((angle.cos(), angle.sin()), 1) for angle in (corners, corners + pi / 6))
    chord = 2 * sin(pi / 12)
    assert transport_distance(first, second[torch.tensor([3, 1, 0, 5, 2, 4])]) == pytest.approx(chord)
    assert transport_distance(first, first + torch.tensor([3 * cos(1.0), 3 * sin(1.0)])) == pytest.approx(3)


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exact") / "run"
    return run(dataset="mixture", methods="ddim,unipc,ddpm", steps=[10, 40], samples=200, output=str(folder))


def test_a_run_on_exact_data_has_its_columns(frame):
    assert (frame["status"] == "ok").all(), frame["error"].tolist()
    assert frame["latency_s"].isna().all()
    assert (frame["dtype"] == "float64").all()
    error = frame.set_index(["method", "steps"])["trajectory_rmse"]
    assert error["ddim", 10] / error["ddim", 40] == pytest.approx(4, rel=0.35)
    assert error["unipc", 40] < error["ddim", 40] / 10
    assert np.isnan(error["ddpm", 10])
    order = frame.set_index(["method", "steps"])["order"]
    assert order["ddim", 10] == pytest.approx(1, abs=0.05)
    assert order["unipc", 40] == pytest.approx(4, abs=0.2)


def test_the_report_shows_errors_with_orders(frame):
    from pathlib import Path

    folder = Path(frame.attrs["output"])
    text = (folder / "report.md").read_text()
    assert "Frechet distance against evaluations" in text
    assert (folder / "pictures" / "error.png").exists()
    page = (folder / "report.html").read_text()
    assert "ddim, order 1.00 (of 1)" in page
    assert "trajectory RMSE against evaluations" in page


def test_a_solver_that_declares_no_order_has_none(frame):
    job = Job(get("ddpm"), "ddpm", "uniform", 10)
    assert np.isnan(fitted_order(job, None))


@pytest.mark.parametrize(
    ("options", "word"),
    [({"dtype": "bfloat16"}, "--dtype"), ({"weights": "x"}, "--weights"), ({"compile": True}, "--compile"),
     ({"quality": False}, "--no-quality"), ({"metrics": "inception_score"}, "classifier"),
     ({"download": True}, "--download"), ({"guidance": "auto"}, "--guidance")],
)  # fmt: skip
def test_options_about_a_network_are_refused(options, word, tmp_path):
    with pytest.raises(InputError, match=word):
        run(dataset="mixture", methods="ddim", output=str(tmp_path / "run"), **options)


def test_an_order_needs_exact_data(tmp_path):
    with pytest.raises(InputError, match="mixture"):
        run(methods="ddim", metrics="order", timing=False, output=str(tmp_path / "run"))
