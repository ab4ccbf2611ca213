"""The order of convergence of a sampler, fitted where the exact flow is known."""

from functools import lru_cache
from math import log2, nan

import torch
from torch import Tensor

from samplerbench.methods import Field, Method
from samplerbench.networks.backbone import Backbone
from samplerbench.sweep.plan import Job

COUNTS = (128, 256)  # steps, enough that the leading error is all that is left
WINDOW = (0.9, 0.2)  # times: multistep methods begin with steps of low order, and end so where the noise vanishes
IMAGES = 8


def fitted_order(job: Job, backbone: Backbone) -> float:
    """log2 of how much the global error falls from 128 to 256 steps in the middle of the path.

    NaN for a method that declares no order, since it draws noise or chooses its own steps. Raises ValueError where
    the flow is not known.
    """
    return nan if job.method.convergence is None else _fitted(job.method, backbone)


@lru_cache(maxsize=256)
def _fitted(method: Method, backbone: Backbone) -> float:
    x, field = _start(backbone), backbone.field(None)
    exact = backbone.exact_flow(x, *WINDOW)
    coarse, fine = (_error(method, field, x, steps, exact) for steps in COUNTS)
    return log2(coarse / fine)


def _start(backbone: Backbone) -> Tensor:
    shape, generator = (IMAGES, *backbone.image_shape), torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(backbone.device)
    (first,) = backbone.path.along(torch.tensor(WINDOW[:1]))
    return (first.alpha**2 + first.sigma**2) ** 0.5 * x


@torch.inference_mode()
def _error(method: Method, field: Field, x: Tensor, steps: int, exact: Tensor) -> float:
    """The RMSE at the end. The intervals shrink towards both ends of the window, so that these weigh little."""
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    times = WINDOW[0] + (WINDOW[1] - WINDOW[0]) * u**3 * (10 - 15 * u + 6 * u**2)
    *_, last = method.steps(field, x, times, torch.zeros_like)
    return (last - exact).square().mean().sqrt().item()
