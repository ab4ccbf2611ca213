"""Errors of solvers and students, for which the sampler runs again on the same noise."""

from dataclasses import dataclass
from math import log2, nan
from typing import ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from samplerbench.data.dataset import quantised
from samplerbench.methods import Field, Method, Sampler
from samplerbench.metrics.base import METRICS, SamplerMetric
from samplerbench.metrics.column import Column
from samplerbench.metrics.neighbours import mean_distance
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling import reference
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise

# Of the fit of an order.
COUNTS = (128, 256)  # steps, enough that only the leading error is left
WINDOW = (0.9, 0.2)  # times: multistep methods start at low order, and end so where the noise vanishes
FITTED = 8  # images

_orders: WeakKeyDictionary[LoadedNetwork, dict[Method, float]] = WeakKeyDictionary()


def _deterministic_images(sampler: Sampler, network: LoadedNetwork, block: int) -> Tensor | None:
    """The first images of a block (N, C, H, W); None if the sampler draws noise along the way."""
    noise = ImageNoise(block, range(reference.IMAGES))
    images = generate(sampler, network, noise).images
    return images if noise.draws == 1 else None


@METRICS.register("trajectory_rmse")
@dataclass(frozen=True)
class TrajectoryRMSE(SamplerMetric):
    """RMSE of the pixels to a fine solution of the ODE from the same noise: a deterministic solver's error alone.

    Undefined for a student: it need not follow the ODE of its own network.
    """

    columns: ClassVar = (
        Column(
            "trajectory_rmse", "trajectory RMSE", "lower",
            meaning="**trajectory RMSE**: pixel RMSE (images in [-1, 1]) against a fine solution of the network's own "
            "ODE from the same noise. Blank for samplers that draw noise along the way, and for students, which need "
            "not follow an ODE.",
            meaning_exact="**trajectory RMSE**: pixel RMSE against the exact flow from the same noise. Blank for "
            "samplers that draw noise along the way.",
        ),
    )  # fmt: skip
    features = False

    def evaluate(self, sampler, network, block, real):
        images = None if network.distilled else _deterministic_images(sampler, network, block)
        if images is None:
            return {"trajectory_rmse": nan}
        end = sampler.times[-1].item()
        solution = reference.reference_solution(network, block, guidance=sampler.guidance, end=end)
        return {"trajectory_rmse": reference.rmse(*(network.images(states) for states in (images, solution)))}


@METRICS.register("teacher_distance")
@dataclass(frozen=True)
class TeacherDistance(SamplerMetric):
    """Distance of images to their teacher's fine ODE solution from the same noise: RMSE of pixels, and in features.

    The teacher is the undistilled network at the root of a student's teachers; an undistilled network is its own. The
    mean distance in the extractor's features is divided by that of two arbitrary real images: 1 is no closer than
    these. Undefined for a sampler that draws noise along the way, whose images contain other noise than the teacher's,
    and for a student whose checkpoint names no teacher.
    """

    columns: ClassVar = (
        Column(
            "teacher_rmse", "teacher RMSE", "lower",
            meaning="**teacher RMSE**: pixel RMSE (images in [-1, 1]) against a fine solution of the teacher's ODE "
            "from the same noise; an undistilled network is its own teacher. Blank for samplers that draw noise along "
            "the way, and for students whose checkpoint names no teacher.",
            meaning_exact="**teacher RMSE**: pixel RMSE against the exact flow from the same noise; a network is its "
            "own teacher. Blank for samplers that draw noise along the way.",
        ),
        Column(
            "teacher_feature_distance", "teacher distance", "lower", extractor=True,
            meaning="**{label}**: mean distance, in the feature space of `{extractor}`, from an image to the teacher's "
            "image of the same noise and label, divided by the mean distance between two real images; 1 means no "
            "closer than chance.",
        ),
    )  # fmt: skip
    requires = frozenset({"teacher"})

    @torch.inference_mode()
    def evaluate(self, sampler, network, block, real):
        teacher = network.teacher if network.distilled else network
        images = _deterministic_images(sampler, network, block) if teacher else None
        if images is None:
            return {"teacher_rmse": nan, "teacher_feature_distance": nan}
        solution = network.images(reference.reference_solution(teacher, block, guidance=sampler.guidance))
        images = network.images(images)
        ours, theirs = (real.extractor(quantised(each, network.exact)) for each in (images, solution))
        scale = real.once("mean distance", lambda: mean_distance(real.reference))
        return {
            "teacher_rmse": reference.rmse(images, solution),
            "teacher_feature_distance": (ours - theirs).norm(dim=1).mean().item() / scale,
        }


@METRICS.register("order")
@dataclass(frozen=True)
class Order(SamplerMetric):
    """Order of convergence, fitted to the exact flow from 128 to 256 steps, and the declared one; exact data only."""

    columns: ClassVar = (
        Column(
            "order", "order", format="{:.2f}",
            meaning="**order**: order of convergence, fitted to the error against the exact flow at 128 and 256 steps "
            "in the middle of the path.",
        ),
        Column(
            "order_declared", "declared order", format="{:g}",
            meaning="**declared order**: the order that the method claims.",
        ),
    )  # fmt: skip
    requires = frozenset({"exact"})
    features = False

    def evaluate(self, sampler, network, block, real):
        declared = sampler.method.convergence
        if declared is None:
            return {"order": nan, "order_declared": nan}
        return {"order": fitted_order(sampler.method, network), "order_declared": float(declared)}


def fitted_order(method: Method, network: LoadedNetwork) -> float:
    """log2 of the ratio of the global errors at 128 and 256 steps in the middle of the path.

    Raises ValueError where the flow is unknown. Each is fitted once for a network.
    """
    known = _orders.setdefault(network, {})
    if method not in known:
        x, field = _start(network), network.field(network.net)
        exact = reference.exact_flow(network, x, *WINDOW)
        coarse, fine = (_error(method, field, x, steps, exact) for steps in COUNTS)
        known[method] = log2(coarse / fine)
    return known[method]


def _start(network: LoadedNetwork) -> Tensor:
    shape, generator = (FITTED, *network.image_shape), torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(network.device)
    (first,) = network.path.along(torch.tensor(WINDOW[:1]))
    return (first.alpha**2 + first.sigma**2) ** 0.5 * x


@torch.inference_mode()
def _error(method: Method, field: Field, x: Tensor, steps: int, exact: Tensor) -> float:
    """The RMSE at the end. The intervals shrink towards both ends of the window, so that these weigh little."""
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    times = WINDOW[0] + (WINDOW[1] - WINDOW[0]) * u**3 * (10 - 15 * u + 6 * u**2)
    *_, last = method.steps(field, x, times, torch.zeros_like)
    return reference.rmse(last, exact)
