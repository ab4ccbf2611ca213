"""The probability-flow ODE dx/dt = velocity(x, t), integrated by torchdiffeq."""

from abc import ABC
from dataclasses import dataclass
from itertools import pairwise
from math import isinf
from typing import Annotated, Literal

import torch
from torchdiffeq import odeint

from methods._base import Method
from methods._spec import Between, SpecError

ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}  # the fixed-step solvers; the others choose their steps
TORCHDIFFEQ = {"heun": "heun2"}  # where its name differs from the field's
Solver = Literal["euler", "midpoint", "heun", "rk4", "dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun"]


@dataclass(frozen=True)
class ODE(Method, ABC):
    """Integrate the ODE from noise to data; a subclass says on which recipe.

    euler takes 1 evaluation a step, midpoint and heun 2, rk4 4; the adaptive solvers take as many as `rtol` and `atol`
    (1e-5 unless given) demand. Where the velocity is singular at t = 0, as on variance-preserving paths, the last
    interval is one evaluation of x0 instead, and adaptive solvers stop at the path's t_min for it.
    """

    solver: Solver = "euler"
    rtol: Annotated[float | None, Between(1e-12, 1)] = None
    atol: Annotated[float | None, Between(1e-12, 1)] = None

    def __post_init__(self):
        super().__post_init__()
        if not self.adaptive and (self.rtol, self.atol) != (None, None):
            raise SpecError(f"{self.name}: rtol and atol have no effect on {self.solver}; use solver=dopri5, say.")

    @property
    def adaptive(self) -> bool:
        return self.solver not in ORDERS

    @property
    def order(self) -> int | None:
        return ORDERS.get(self.solver)

    def steps(self, field, x, times, noise):
        path, times = field.path, times.tolist()
        singular = isinf(path.along(torch.zeros(1))[0].d_sigma)
        if singular and self.adaptive and times[-1] == 0:
            times.insert(-1, path.t_min)

        def velocity(t, x):
            return field(x, path.along(t[None])[0]).velocity

        for now, then in pairwise(times):
            if singular and then == 0:
                x = field(x, path.along(torch.tensor([now]))[0]).x0
            else:
                x = self._integrate(velocity, x, torch.tensor([now, then], dtype=torch.float64, device=x.device))
            yield x

    def _integrate(self, velocity, x, interval):
        solver = TORCHDIFFEQ.get(self.solver, self.solver)
        # Without `step_t` an adaptive solver steps past the end, to times that do not exist, and interpolates back.
        options = {"step_t": interval[1:], "max_num_steps": 10_000} if self.adaptive else None
        rtol, atol = self.rtol or 1e-5, self.atol or 1e-5
        return odeint(velocity, x, interval, method=solver, rtol=rtol, atol=atol, options=options)[-1]
