"""Fine solutions of a network's probability-flow ODE, with which samplers and students are compared."""

from dataclasses import replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from samplerbench.methods import METHODS, Guidance, Sampler
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.generate import generate, initial_noise
from samplerbench.sampling.noise import SAMPLING, ImageNoise

IMAGES = 32  # of each seed block
# On the digits' checkpoints it agrees with ten times smaller tolerances to 1e-4 (DDIM at 50 steps: 2e-2).
FINE = "pf_ode[solver=dopri5,rtol=1e-06,atol=1e-06]"

# Kept as long as their networks are, and no longer.
_solutions: WeakKeyDictionary[LoadedNetwork, dict[tuple, Tensor]] = WeakKeyDictionary()


def reference_solution(
    network: LoadedNetwork,
    block: int,
    images: int | None = None,
    method: str | None = None,
    guidance: Guidance | None = None,
    purpose: str = SAMPLING,
    end: float = 0.0,
) -> Tensor:
    """The (guided) ODE's solution from the noise of a block's first images, by an adaptive solver or in closed form.

    images: how many, `IMAGES` by default. method: the solver, `FINE` by default. end: the time at which it stops.
    Returns (images, C, H, W). Each is computed once for a network.
    """
    images, method = images or IMAGES, method or FINE
    known = _solutions.setdefault(network, {})
    key = (block, images, method, guidance, purpose, end)
    if key not in known:
        known[key] = _solve(network, ImageNoise(block, range(images), purpose), method, guidance, end)
    return known[key]


def _solve(network: LoadedNetwork, noise: ImageNoise, method: str, guidance: Guidance | None, end: float) -> Tensor:
    if network.exact:
        return exact_flow(network, initial_noise(network, noise) * network.path.prior_std, end=end)
    sampler = reference_sampler(network, guidance, method)
    if end:
        ratio = (-network.path.log_snr(torch.tensor([end], dtype=torch.float64)) / 2).exp().item()
        sampler = replace(sampler, grid=f"uniform[end={ratio!r}]")
    return generate(sampler, network, noise).images


def reference_sampler(network: LoadedNetwork, guidance: Guidance | None, method: str = FINE) -> Sampler:
    """The solver of a trained network's ODE."""
    known = network.parametrisation
    return Sampler(METHODS.get(method), guidance=guidance, trained=known, learned_path=network.path)


def exact_flow(network: LoadedNetwork, x: Tensor, start: float = 1.0, end: float = 0.0) -> Tensor:
    """The ODE's exact solution from states x (B, C, H, W) at time `start` to time `end`.

    Raises ValueError for a trained network, whose exact flow is unknown.
    """
    if network.distribution is None:
        raise ValueError(f"{network.origin} is a trained network: its exact flow is unknown.")
    return network.distribution.flow(x.double().cpu().flatten(1), network.path, start, end).view(x.shape).to(x)


def rmse(images: Tensor, solution: Tensor) -> float:
    """The root mean squared error over the pixels of images (B, C, H, W)."""
    return torch.sub(images, solution).square().mean().sqrt().item()
