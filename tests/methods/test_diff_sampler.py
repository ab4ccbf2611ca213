"""Our samplers on grids that end above zero are those of diff-sampler, whose figures on EDM's networks are published.

Its conventions (zju-pi/diff-sampler, solvers.py and solver_utils.py): x = x0 + sigma eps, N points for N - 1 steps, the
last state is the image; DPM-Solver++ and UniPC with dynamic thresholding; iPNDM with the weights of even spacing.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch

from samplerbench.methods import Field, Path, Sampler, get

TOP, END, STEPS = 80.0, 0.002, 10


@dataclass(frozen=True)
class Sigma(Path):
    """sigma = 80 t."""

    @property
    def prior_std(self):
        return TOP

    def coefficients(self, t):
        return torch.ones_like(t), TOP * t, torch.zeros_like(t), torch.full_like(t, TOP)


def denoise(x, sigma):
    """A smooth denoiser whose values leave [-1, 1]."""
    signs = torch.linspace(-1, 1, x[0].numel(), dtype=x.dtype).view(x[0].shape)
    return 1.5 * torch.tanh(x / (1 + sigma) + signs) + 0.1 * torch.sin(x.sum((1, 2, 3), keepdim=True) / (1 + sigma))


def thresholded(x0):
    s = np.maximum(np.quantile(x0.abs().flatten(1).numpy(), 0.995, axis=1), 1)
    s = torch.from_numpy(s).view(-1, 1, 1, 1)
    return x0.clamp(-s, s) / s


def levels(kind, n):
    if kind == "karras":
        return np.linspace(TOP ** (1 / 7), END ** (1 / 7), n + 1) ** 7
    return np.exp(np.linspace(np.log(TOP), np.log(END), n + 1))


def euler(x, sigmas):
    for now, then in pairwise(sigmas):
        x = x + (then - now) * (x - denoise(x, now)) / now
    return x


def heun(x, sigmas):
    for now, then in pairwise(sigmas):
        first = (x - denoise(x, now)) / now
        ahead = x + (then - now) * first
        x = x + (then - now) * (first + (ahead - denoise(ahead, then)) / then) / 2
    return x


def dpm2(x, sigmas):
    for now, then in pairwise(sigmas):
        middle = (now * then) ** 0.5
        inner = x + (middle - now) * (x - denoise(x, now)) / now
        x = x + (then - now) * (inner - denoise(inner, middle)) / middle
    return x


AB = {1: [1], 2: [3 / 2, -1 / 2], 3: [23 / 12, -16 / 12, 5 / 12], 4: [55 / 24, -59 / 24, 37 / 24, -9 / 24]}


def ipndm(x, sigmas):
    past = []
    for now, then in pairwise(sigmas):
        past = [(x - denoise(x, now)) / now, *past][:4]
        x = x + (then - now) * sum(w * d for w, d in zip(AB[len(past)], past, strict=True))
    return x


def dpmpp_3m(x, sigmas):
    past, lambdas = [], -np.log(sigmas)
    n = len(sigmas) - 1
    for i, (now, then) in enumerate(pairwise(sigmas)):
        past = [thresholded(denoise(x, now)), *past][:3]
        order = i + 1 if i + 1 < 3 else min(3, n - i)
        h = lambdas[i + 1] - lambdas[i]
        phi_1 = np.expm1(-h)
        new = then / now * x - phi_1 * past[0]
        if order == 2:
            new = new - 0.5 * phi_1 * (past[0] - past[1]) * h / (lambdas[i] - lambdas[i - 1])
        if order == 3:
            r0, r1 = (lambdas[i] - lambdas[i - 1]) / h, (lambdas[i - 1] - lambdas[i - 2]) / h
            near, far = (past[0] - past[1]) / r0, (past[1] - past[2]) / r1
            slope, curve = near + r0 / (r0 + r1) * (near - far), (near - far) / (r0 + r1)
            phi_2 = phi_1 / h + 1
            new = new + phi_2 * slope - (phi_2 / h - 0.5) * curve
        x = new
    return x


def unipc(x, sigmas):
    lambdas, n = -np.log(sigmas), len(sigmas) - 1
    values, places = [thresholded(denoise(x, sigmas[0]))], [lambdas[0]]
    for i in range(n):
        order = i + 1 if i + 1 < 3 else min(3, n - i)
        h = lambdas[i + 1] - lambdas[i]
        ratios = [(places[-k - 1] - lambdas[i]) / h for k in range(1, order)]
        quotients = [(values[-k - 1] - values[-1]) / r for k, r in zip(range(1, order), ratios, strict=True)]
        factor = np.expm1(-h)
        phi, b = factor / -h - 1, []
        fact = 1
        for k in range(1, order + 1):
            b.append(phi * fact / factor)
            fact *= k + 1
            phi = phi / -h - 1 / fact
        matrix = np.array([np.array([*ratios, 1.0]) ** k for k in range(order)])
        base = sigmas[i + 1] / sigmas[i] * x - factor * values[-1]
        rho = [0.5] if order == 2 else np.linalg.solve(matrix[:-1, :-1], b[:-1]) if order > 2 else []
        ahead = base - factor * sum(w * q for w, q in zip(rho, quotients, strict=True))
        if i == n - 1:
            return ahead
        rho = np.linalg.solve(matrix, b) if order > 1 else [0.5]
        value = thresholded(denoise(ahead, sigmas[i + 1]))
        x = base - factor * (sum(w * q for w, q in zip(rho, quotients, strict=False)) + rho[-1] * (value - values[-1]))
        values, places = [*values, value][-3:], [*places, lambdas[i + 1]][-3:]
    return x


@pytest.mark.parametrize(
    ("spec", "grid", "theirs", "nfe"),
    [
        ("euler", "karras", euler, STEPS),
        ("heun", "karras", heun, 2 * STEPS),
        ("dpm2", "karras", dpm2, 2 * STEPS),
        ("ipndm[spacing=even]", "karras", ipndm, STEPS),
        ("dpmpp_3m[curvature=half,threshold=0.995]", "logsnr", dpmpp_3m, STEPS),
        ("unipc[threshold=0.995]", "logsnr", unipc, STEPS),
    ],
)
def test_a_sampler_equals_that_of_diff_sampler(spec, grid, theirs, nfe):
    field = Field(lambda x, t: denoise(x, TOP * t.view(-1, 1, 1, 1)), Sigma(), "x0")
    sampler = Sampler(get(spec), STEPS, f"{grid}[end={END}]", learned_path=Sigma())
    x = torch.randn(2, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = sampler.sample(field, x, torch.zeros_like)
    torch.testing.assert_close(ours, theirs(TOP * x, levels(grid, STEPS)), rtol=1e-9, atol=1e-9)
    assert sampler.nfe == nfe
    assert sampler.times[-1].item() == pytest.approx(END / TOP, rel=1e-9)
