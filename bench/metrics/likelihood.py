"""Likelihoods: exact log densities by the probability-flow ODE, and DDPM's variational bound, term by term."""

from itertools import pairwise
from math import isinf, log, pi
from typing import NamedTuple

import torch
from torch import Tensor

from samplerbench.methods import Field, Moment, Noise, Path

TOLERANCE = 1e-4  # on the digits it agrees with 1e-5 to 1e-3 bits per dimension


def log_density(field: Field, x: Tensor, noise: Noise, tolerance: float = TOLERANCE) -> Tensor:
    r"""log p(x) = log p_1(x_1) + int div velocity(x_t, t) dt, in nats, of each image x (B, C, H, W): (B,).

    (arXiv 2011.13456, eq. 39.) The ODE runs from x at t = 0, or at the t_min of the path where the velocity is singular
    at 0, to x_1, whose density is that of the prior. div = v . d(velocity . v)/dx is unbiased for random signs v, one
    for each image and all times (arXiv 1810.01367, eq. 7), and exact for a diagonal Jacobian.
    """
    from torchdiffeq import odeint  # 0.6 s, as it imports scipy.integrate

    path, signs = field.path, noise(x).sign()

    def derivative(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        (now,) = path.along(t[None])
        with torch.enable_grad():
            at = state[0].detach().requires_grad_(True)
            velocity = field(at, now).velocity
            (product,) = torch.autograd.grad(velocity, at, signs)
        return velocity.detach(), (product * signs).flatten(1).sum(1)

    interval = torch.tensor([t_min(path), 1.0], dtype=torch.float64, device=x.device)
    # Without `step_t` the solver steps past the end, to times that do not exist, and interpolates back.
    options = {"step_t": interval[1:], "max_num_steps": 10_000}
    state = (x, torch.zeros(len(x), dtype=x.dtype, device=x.device))
    ends, divergences = odeint(
        derivative, state, interval, method="dopri5", rtol=tolerance, atol=tolerance, options=options
    )
    return log_normal(ends[-1], path.prior_std) + divergences[-1]


def t_min(path: Path) -> float:
    """The time at which the ODE starts: 0, or the path's t_min where the velocity is infinite at 0."""
    return path.t_min if isinf(path.along(torch.zeros(1))[0].d_sigma) else 0.0


def log_normal(x: Tensor, std: float) -> Tensor:
    """log N(x; 0, std^2), the sum over the pixels: (B,)."""
    return (-(x / std).square() / 2 - log(2 * pi) / 2 - log(std)).flatten(1).sum(1)


class Bound(NamedTuple):
    """The terms in nats, of each image. -log P(x0) is at most the mean over the noise of their sum.

    prior: L_T (B,). transitions: L_{t-1} for t = T ... 2 (B, T - 1). decoder: L_0 (B,).
    """

    prior: Tensor
    transitions: Tensor
    decoder: Tensor

    @property
    def total(self) -> Tensor:
        """L_T + sum L_{t-1} + L_0 (B,)."""
        return self.prior + self.transitions.sum(1) + self.decoder


def bound(field: Field, x0: Tensor, width: float, times: Tensor, noise: Noise, clip: bool = False) -> Bound:
    r"""One draw of the bound's terms for images x0 (B, C, H, W) on the chain of falling `times` (T + 1,).

    (arXiv 2006.11239, eq. 5.) With the posterior variance in both, KL(q(x_s | x_t, x0) || p(x_s | x_t)) is
    (SNR_s - SNR_t) / 2 ||x0 - x0(x_t, t)||^2, SNR = alpha^2 / sigma^2. The decoder is a discretised Gaussian around
    x0(x_1, t_1) with standard deviation sigma_1 / alpha_1, which is DDPM's sqrt(beta_1) but for alpha_1.

    width: the distance of neighbouring pixel values in [-1, 1]; beyond the last ones the bins have no end (eq. 13).
    clip: whether the predicted x0 is clipped to [-1, 1].
    """
    grid, transitions = field.path.along(times), []
    for now, then in pairwise(grid):
        prediction = field(field.path.mix(x0, noise(x0), now), now)
        predicted = prediction.clipped().x0 if clip else prediction.x0
        if then.t > 0:
            squares = (x0 - predicted).square().flatten(1).sum(1)
            transitions.append((snr(then) - snr(now)) / 2 * squares)
    decoder = -log_bin(x0, predicted, now.sigma / now.alpha, width)
    kept = torch.stack(transitions, dim=1) if transitions else x0.new_zeros(len(x0), 0)
    return Bound(prior_kl(x0, grid[0], field.path.prior_std), kept, decoder)


def snr(m: Moment) -> float:
    """alpha^2 / sigma^2."""
    return (m.alpha / m.sigma) ** 2


def prior_kl(x0: Tensor, last: Moment, std: float) -> Tensor:
    """L_T = KL(N(alpha x0, sigma^2) || N(0, std^2)), the sum over the pixels: (B,)."""
    ratio = torch.tensor((last.sigma / std) ** 2, dtype=torch.float64)
    constant = ((ratio - 1 - ratio.log()) / 2).item()
    return ((last.alpha * x0 / std).square() / 2 + constant).flatten(1).sum(1)


def log_bin(x0: Tensor, mean: Tensor, std: float, width: float) -> Tensor:
    """log of the mass of N(mean, std^2) within half a `width` of x0, the sum over the pixels: (B,)."""
    x0, mean = x0.double(), mean.double()
    low = torch.where(x0 < -1 + width / 2, -torch.inf, (x0 - width / 2 - mean) / std)
    high = torch.where(x0 > 1 - width / 2, torch.inf, (x0 + width / 2 - mean) / std)
    flipped = low > 0  # both in the upper tail, where the distribution function is 1 but for rounding
    low, high = torch.where(flipped, -high, low), torch.where(flipped, -low, high)
    below, above = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
    return (above + torch.log(-torch.expm1(below - above))).flatten(1).sum(1)
