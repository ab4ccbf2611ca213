"""The number of network evaluations that each docstring states."""

import pytest

from samplerbench.methods import METHODS, Sampler, get

# Evaluations on each step but the last, if more than one.
EVALUATIONS = {"midpoint": 2, "heun": 2, "rk4": 4, "dpm2": 2, "dpmpp_2s": 2, "dpm3": 3, "langevin": 5}
VARIANTS = ["flow[solver=rk4]", "pf_ode[solver=heun]", "pf_ode[solver=midpoint]", "pc[corrections=3]", "heun[churn=9]"]


@pytest.mark.parametrize("steps", [1, 2, 5, 50])
@pytest.mark.parametrize("spec", [*METHODS.names(), *VARIANTS])
def test_evaluations_are_those_of_the_docstring(spec, steps):
    method = get(spec)
    if method.unsupported(steps):
        pytest.skip("unsupported number of steps")
    each = EVALUATIONS.get(getattr(method, "solver", method.name), 1 + getattr(method, "corrections", 0))
    if method.name == "pndm":
        expected = steps + 3 * min(3, steps - 1)
    elif method.name in ("flow", "reflow"):  # on the straight path, the last interval is like the others
        expected = each * steps
    else:
        expected = each * (steps - 1) + 1
    assert Sampler(method, steps).nfe == expected
