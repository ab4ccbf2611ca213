"""The contract that every plug-in keeps, to be run on one of yours with one line of pytest:

    test_contract = contract("my_sampler")

The plug-in must be registered: installed with its entry point, or imported by the test.
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from types import ModuleType

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import (
    GRIDS,
    GUIDANCES,
    METHODS,
    RECIPES,
    ContractError,
    Plugin,
    Registry,
    SpecError,
    nearest,
)
from samplerbench.metrics.base import METRICS
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.networks.conditions.base import CONDITIONS
from samplerbench.testing import conditions, datasets, encoders, grids, guidances, methods, metrics, recipes
from samplerbench.testing.variants import Variant, variants

__all__ = ["KINDS", "checks", "contract", "located"]

KINDS: dict[str, tuple[Registry, ModuleType]] = {
    "method": (METHODS, methods),
    "recipe": (RECIPES, recipes),
    "guidance": (GUIDANCES, guidances),
    "grid": (GRIDS, grids),
    "metric": (METRICS, metrics),
    "encoder": (ENCODERS, encoders),
    "dataset": (DATASETS, datasets),
    "condition": (CONDITIONS, conditions),
}


def contract(plugin: str, skip: Collection[str] = ()) -> Callable[..., None]:
    """A pytest test of everything that a plug-in must keep, one case for each check.

    plugin: a name, which is checked with every value of its options in turn, or a spec such as `ddim[eta=0.5]`, which
        is checked as it is. `method:NAME` and `recipe:NAME` tell plug-ins of one name apart.
    skip: names of checks to leave out, as in the ids of the cases after the dash.
    Raises SpecError if there is no such plug-in.
    """
    import pytest  # a dependency of tests alone

    chosen = {name: check for name, check in checks(plugin) if name.rpartition("-")[2] not in skip}

    @pytest.mark.parametrize("check", chosen.values(), ids=chosen.keys())
    def test_contract(check: Callable[[], None]) -> None:
        check()

    return test_contract


def checks(plugin: str) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """The checks of a plug-in as (name, function): a function raises AssertionError with the reason if it fails.

    A function returns what it measured, if anything. It raises unittest.SkipTest if it needs data that are not on this
    machine. Raises SpecError for an unknown plug-in, or a name that plug-ins of several kinds share.
    """
    kind, spec = located(plugin)
    registry, module = KINDS[kind]
    found = registry.get(spec)
    for variant in [Variant(found, first=True)] if "[" in spec else variants(found):
        for check in module.checks(variant):
            yield f"{variant.plugin}-{check.__name__}", partial(_run, check, variant.plugin)


def _run(check: Callable[[Plugin], str | None], plugin: Plugin) -> str | None:
    try:
        return check(plugin)
    except ContractError as error:  # which stops a defective method in any run
        raise AssertionError(str(error)) from error


def located(plugin: str) -> tuple[str, str]:
    """The kind and the spec of a plug-in. Raises SpecError for an unknown one, or a name of several kinds."""
    prefix, colon, spec = plugin.partition(":")
    if colon and prefix in KINDS:
        return prefix, spec
    name = plugin.partition("[")[0].partition(":")[0].strip()
    kinds = [kind for kind, (registry, _) in KINDS.items() if name in registry.names()]
    if len(kinds) > 1:
        choices = " or ".join(f"{kind}:{plugin}" for kind in kinds)
        raise SpecError(f"{name!r} is the name of a {' and of a '.join(kinds)}: write {choices}.")
    if not kinds:
        names = [name for registry, _ in KINDS.values() for name in registry.names()]
        raise SpecError(f"No plug-in is named {name!r}. {nearest(name, names)}")
    return kinds[0], plugin
