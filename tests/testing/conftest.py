"""Broken plug-ins: what the contract finds in them."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import GRIDS, GUIDANCES, METHODS, RECIPES
from samplerbench.metrics.base import METRICS
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.networks.conditions.base import CONDITIONS
from samplerbench.testing import checks

REGISTRIES = {
    "method": METHODS, "recipe": RECIPES, "grid": GRIDS, "guidance": GUIDANCES, "metric": METRICS, "encoder": ENCODERS,
    "dataset": DATASETS, "condition": CONDITIONS,
}  # fmt: skip


@pytest.fixture
def failures() -> Callable[[type], dict[str, str]]:
    """failures(cls) registers a subclass of the class, frozen and documented: the checks it fails, with the reasons."""
    with ExitStack() as stack:
        for registry in REGISTRIES.values():
            stack.enter_context(registry.temporarily())
        yield _failures


def _failures(cls: type) -> dict[str, str]:
    kind = next(kind for kind, registry in REGISTRIES.items() if issubclass(cls, registry.base))
    docstring = "Broken in one way." if cls.__doc__ is None else cls.__doc__
    REGISTRIES[kind].register("broken")(dataclass(frozen=True)(type(cls.__name__, (cls,), {"__doc__": docstring})))
    found = {}
    for name, check in checks(f"{kind}:broken"):
        try:
            check()
        except AssertionError as error:
            found[name.rpartition("-")[2]] = str(error)
    return found


@pytest.fixture
def assert_caught(failures) -> Callable[[type, dict[str, str]], None]:
    """assert_caught(cls, caught): exactly these checks fail, for these reasons."""

    def assert_caught(cls: type, caught: dict[str, str]) -> None:
        found = failures(cls)
        assert found.keys() == caught.keys(), found
        for check, reason in caught.items():
            assert reason in found[check]

    return assert_caught


def pytest_make_parametrize_id(val: object) -> str | None:
    """The name of a class that is the parameter of a test."""
    return getattr(val, "__name__", None)
