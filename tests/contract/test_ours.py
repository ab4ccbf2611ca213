"""Every plug-in of ours keeps its contract. Registering one enrols it here."""

from unittest import SkipTest

import pytest

from samplerbench.methods import METHODS, Sampler, get
from samplerbench.testing import KINDS, checks

# Variants that option types do not imply, but which are samplers of their own.
MORE = [
    "method:ddim[eta=1.0]", "method:ddim[eta=0.5,clip=true]", "method:euler[churn=20.0]", "method:heun[churn=20.0]",
    "method:midpoint[churn=20.0]", "method:rk4[churn=20.0]",
]  # fmt: skip
EXCEPTIONS = {
    "method:pc[norms=image]-many_steps_reproduce_the_data": "its step size depends on the state, the more so the fewer "
    "pixels there are: it is biased on images of 4x4, as its docstring says",
}


def cases() -> dict:
    """The checks of all our plug-ins, by kind, variant and check."""
    found: dict = {}
    for plugin in [f"{kind}:{name}" for kind, (registry, _) in KINDS.items() for name in registry.complete()] + MORE:
        kind = plugin.partition(":")[0]
        slow = "starts_without_signal" if plugin in MORE else ""  # which their defaults do too
        found |= {f"{kind}:{name}": check for name, check in checks(plugin) if name.rpartition("-")[2] != slow}
    return found


CASES = cases()


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_the_contract(case):
    if case in EXCEPTIONS:
        pytest.xfail(EXCEPTIONS[case])
    try:
        CASES[case]()
    except SkipTest as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("case", EXCEPTIONS)
def test_an_exception_is_still_one(case):
    with pytest.raises(AssertionError):
        CASES[case]()


@pytest.mark.parametrize("name", METHODS.names())
def test_the_docstring_of_a_method_names_its_paper(name):
    cls = METHODS.lookup(name)
    module = __import__(cls.__module__, fromlist=["*"])
    assert "arXiv" in (cls.__doc__ or "") + (module.__doc__ or "")
    assert cls.reference.startswith("arXiv ")


# Evaluations on each step but the last, if more than one.
EVALUATIONS = {"midpoint": 2, "heun": 2, "rk4": 4, "dpm2": 2, "dpmpp_2s": 2, "dpm3": 3, "langevin": 5, "pc": 2}


@pytest.mark.parametrize("spec", [*METHODS.names(), "flow[solver=rk4]", "pf_ode[solver=heun]", "pc[corrections=3]"])
def test_evaluations_are_those_of_the_docstring(spec):
    method = get(spec)
    each = 4 if "corrections" in spec else EVALUATIONS.get(getattr(method, "solver", method.name), 1)
    for steps in (1, 2, 5, 50):
        if method.unsupported(steps):
            continue
        if method.name == "pndm":
            expected = steps + 3 * min(3, steps - 1)
        elif method.name in ("flow", "reflow"):  # on the straight path the last interval is like the others
            expected = each * steps
        else:
            expected = each * (steps - 1) + 1
        assert Sampler(method, steps).nfe == expected
