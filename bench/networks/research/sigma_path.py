"""EDM's noise: x = x0 + sigma eps, in a time in which its rho-schedule is uniform (arXiv 2206.00364, eq. 5)."""

from dataclasses import dataclass

import torch

from samplerbench.methods import Path

RHO = 7.0


@dataclass(frozen=True)
class SigmaPath(Path):
    """sigma^2 = s^2 - sigma_min^2, where s^(1/7) rises linearly in t from sigma_min^(1/7); sigma = sigma_max at t = 1.

    So the noise ends at exactly 0, as EDM's sampling does, and `uniform` times are close to EDM's. `--grid karras` is
    EDM's schedule itself, from sigma_max to sigma_min and 0.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0

    @property
    def prior_std(self) -> float:
        return self.sigma_max

    @property
    def t_min(self) -> float:  # type: ignore[override]
        return float(self._time(torch.tensor(self.sigma_min, dtype=torch.float64)))

    def coefficients(self, t):
        first, last = self._ends
        root = first + t * (last - first)
        s, slope = root**RHO, RHO * root ** (RHO - 1) * (last - first)
        sigma = (s**2 - self.sigma_min**2).clamp(min=0).sqrt()
        sigma = torch.where(t <= 0, 0.0, sigma)
        return torch.ones_like(t), sigma, torch.zeros_like(t), s * slope / sigma

    def time_at(self, log_snr):
        return self._time((-log_snr.double() / 2).exp()).clamp(0, 1)

    def _time(self, sigma):
        first, last = self._ends
        return ((sigma**2 + self.sigma_min**2) ** (1 / (2 * RHO)) - first) / (last - first)

    @property
    def _ends(self) -> tuple[float, float]:
        """s^(1/7) at t = 0 and t = 1."""
        return self.sigma_min ** (1 / RHO), (self.sigma_max**2 + self.sigma_min**2) ** (1 / (2 * RHO))
