"""Finds plug-ins: the modules of our own packages, and the entry points of other packages."""

import warnings
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import walk_packages

METHODS = "samplerbench.methods"
# The entry-point groups, one for each kind of plug-in. A module registers what it defines, whichever group names it.
GROUPS = (METHODS, *(f"samplerbench.{kind}" for kind in ("metrics", "encoders", "datasets", "models", "conditions")))


def import_files(package: str, skip: Iterable[str] = ()) -> None:
    """Import all modules of a package and its sub-packages, except `_private` ones and `skip`: plug-ins register."""
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        if "._" not in module.name and module.name not in skip:
            import_module(module.name)


@cache
def load_entry_points() -> None:
    """Import the plug-ins of other packages, once. One that fails is left out with a warning; the others still work."""
    for point in (point for group in GROUPS for point in entry_points(group=group)):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            warnings.warn(f"The plug-in {point.name!r} ({point.value}) was left out: {error}", stacklevel=2)


@cache
def load_plugins() -> None:
    """Register our methods, recipes, grids and guidances, and the plug-ins of other packages, once."""
    import_files(METHODS)
    load_entry_points()
