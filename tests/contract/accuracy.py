"""How accurate a method is, measured on exact networks."""

from itertools import islice
from math import log2

import torch
from torch import Tensor, nn

from samplerbench.methods import VP, Cosine, Linear, Method, Path, Target
from samplerbench.testing.exact import gaussian, mixture, normal
from samplerbench.testing.runs import exact_field, final, recipe_of, step_counts
from samplerbench.testing.small_net import field_of, seeded_noise


def declared_order_is_reached(method: Method) -> str:
    """The global error in the middle of a path falls with the declared order (`Method.convergence`)."""
    # With more steps only if need be: a low order may show late, and the error of a high one reaches rounding.
    declared, orders = method.convergence, []
    assert declared is not None, f"{method} declares no order"
    for counts in ((128, 256), (512, 1024)):
        coarse, fine = (_error_in_the_middle(method, steps) for steps in counts)
        orders.append(log2(coarse / fine))
        if abs(orders[-1] - declared) < 0.2:
            return f"order {orders[-1]:.2f}, declared {declared}"
    found = " and then ".join(f"{order:.2f}" for order in orders)
    raise AssertionError(f"{method} declares order {method.convergence}, but its error falls with order {found}")


def _error_in_the_middle(method: Method, steps: int) -> float:
    """The RMSE against the exact flow of a mixture, since on a Gaussian leading errors may cancel."""

    def noise(x: Tensor) -> Tensor:
        raise AssertionError(f"{method} declares order {method.convergence} but draws noise: declare None")

    path, data, x, (start, end) = VP(), mixture(), normal(8, 1, 4, 4), (0.9, 0.2)
    # The intervals shrink towards both ends, because multistep methods take steps of low order there; their own order
    # shows once those errors are small.
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    times = start + (end - start) * u**3 * (10 - 15 * u + 6 * u**2)
    made = method.steps(exact_field(method, data, path, "eps"), x.clone(), times, noise)
    last = made if isinstance(made, Tensor) else list(islice(made, steps + 1))[-1]
    return (last - data.flow(path, x, start, end)).square().mean().sqrt().item()


def many_steps_reproduce_the_data(method: Method) -> str:
    """On an exact network, many steps give the data's mean, standard deviation and independent pixels."""
    recipe = recipe_of(method)
    return _assert_gaussian(method, field_of(recipe, nn.Identity()).path, recipe.target)


def starts_without_signal(method: Method) -> None:
    """It works where the state begins as pure noise (alpha = 0 at t = 1), in many steps and in few."""
    cases: tuple[tuple[Path, Target], ...] = ((Linear(), "velocity"), (Cosine(), "v"))
    for path, target in cases:
        _assert_gaussian(method, path, target)
        for steps in step_counts(method)[:2]:
            images = final(
                method, exact_field(method, gaussian(), path, target), normal(2, 1, 4, 4), steps, seeded_noise(0)
            )
            assert images.isfinite().all(), f"{method} yields NaN or infinity on {path} in {steps} steps"


def _assert_gaussian(method: Method, path: Path, target: Target) -> str:
    # The allowances are 4.5 standard errors of a mean or a correlation for a stochastic method, whose images vary. A
    # deterministic one has its discretisation error alone.
    stochastic = method.convergence is None and not method.adaptive
    count, of_mean, of_std = (2000, 0.1, 0.12) if stochastic else (300, 0.1, 0.08)
    steps = None if method.adaptive else max(method.step_counts or (100 if (method.convergence or 1) > 1 else 400,))
    data, noise = gaussian(), seeded_noise(1)
    x = _whitened(noise(torch.empty(count, 1, 4, 4, dtype=torch.float64)))
    images = final(method, exact_field(method, data, path, target), x, steps, noise)
    mean = ((images.mean(0) - data.mean[0]) / data.std[0]).abs().max()
    std = (images.std(0) / data.std[0] - 1).abs().max()
    correlation = (torch.corrcoef(images.flatten(1).T) - torch.eye(16)).abs().max()
    where = f"on {path} in {steps or 'adaptive'} steps with an exact network"
    assert mean < of_mean, f"{method} {where}: the mean is off by {mean:.2f} standard deviations"
    assert std < of_std, f"{method} {where}: the standard deviation is off by {std:.0%}"
    assert correlation < of_mean, f"{method} {where}: independent pixels correlate by {correlation:.2f}"
    return f"mean off by {mean:.3f} sd, sd by {std:.1%}, in {steps or 'adaptive'} steps"


def _whitened(x: Tensor) -> Tensor:
    """x (B, C, H, W) with sample mean 0 and sample covariance 1: then an affine sampler has no sampling error."""
    flat = x.flatten(1) - x.flatten(1).mean(0)
    factor = torch.linalg.cholesky(torch.cov(flat.T))
    return torch.linalg.solve_triangular(factor, flat.T, upper=False).T.reshape(x.shape)
