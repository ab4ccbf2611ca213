"""The probability-flow ODE dx/dt = velocity(x, t), by fixed-step solvers or the adaptive ones of torchdiffeq."""

from abc import ABC
from dataclasses import dataclass
from itertools import pairwise
from math import isinf
from typing import Annotated, Literal

import torch

from samplerbench.methods.core.coordinates import inner_points
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.plugin import Between, SpecError
from samplerbench.methods.runge_kutta._tableau import TABLEAUS, TIME, runge_kutta

Solver = Literal["euler", "midpoint", "heun", "rk4", "dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun"]


@dataclass(frozen=True)
class ODE(Method, ABC):
    """Integrate the ODE from noise to data; a subclass sets the recipe.

    euler takes 1 evaluation per step, midpoint and heun 2, rk4 4; adaptive solvers take as many as the tolerances
    `rtol` and `atol` (default 1e-5) require. Where the velocity is singular at t = 0, as on variance-preserving paths,
    the last interval is a single evaluation of x0 instead; for adaptive solvers, that interval starts at the path's
    t_min.
    """

    solver: Solver = "euler"
    rtol: Annotated[float | None, Between(1e-12, 1)] = None
    atol: Annotated[float | None, Between(1e-12, 1)] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.adaptive and (self.rtol, self.atol) != (None, None):
            raise SpecError(f"{self.name}: rtol and atol have no effect on {self.solver}; use solver=dopri5, say.")

    @property
    def adaptive(self) -> bool:
        return self.solver not in TABLEAUS

    @property
    def order(self) -> int | None:
        return None if self.adaptive else TABLEAUS[self.solver].order

    def steps(self, field, x, times, noise):
        path = field.path
        grid = path.along(times)
        singular = grid[-1].t == 0 and isinf(grid[-1].d_sigma)
        if singular and self.adaptive:
            grid.insert(-1, path.along(torch.tensor([path.t_min], dtype=torch.float64))[0])

        inner = inner_points(path, grid[:-1], grid[1:], [] if self.adaptive else TABLEAUS[self.solver].inner, "t")
        for (now, then), points in zip(pairwise(grid), inner, strict=True):
            if singular and then.t == 0:
                x = field(x, now).x0
            elif self.adaptive:
                x = self._adapt(field, x, now.t, then.t)
            else:
                x = runge_kutta(TABLEAUS[self.solver], TIME, field, x, [now, *points, then])
            yield x

    def _adapt(self, field, x, start, end):
        from torchdiffeq import odeint  # 0.6 s, as it imports scipy.integrate

        def velocity(t, x):
            return field(x, field.path.along(t[None])[0]).velocity

        interval = torch.tensor([start, end], dtype=torch.float64, device=x.device)
        # Without `step_t`, the solver would step past the end, where the path has no times, and interpolate back.
        options = {"step_t": interval[1:], "max_num_steps": 10_000}
        rtol, atol = self.rtol or 1e-5, self.atol or 1e-5
        return odeint(velocity, x, interval, method=self.solver, rtol=rtol, atol=atol, options=options)[-1]
