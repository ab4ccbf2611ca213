"""Where methods and recipes are found: the files of this package, and other packages' entry points."""

import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import walk_packages

from samplerbench.methods.core.method import Method, Recipe
from samplerbench.methods.core.plugin import Registry

GROUP = "samplerbench.methods"
PACKAGE = "samplerbench.methods"


def _load() -> None:
    """Import the plug-ins. One that fails to import is reported and left out; the others stay usable."""
    for module in walk_packages(import_module(PACKAGE).__path__, f"{PACKAGE}."):
        if "._" not in module.name:
            import_module(module.name)
    for point in entry_points(group=GROUP):
        try:
            point.load()
        except Exception as error:
            warnings.warn(f"The plug-in {point.name!r} ({point.value}) was left out: {error}", stacklevel=2)


METHODS: Registry[Method] = Registry("method", Method, _load)
RECIPES: Registry[Recipe] = Registry("recipe", Recipe, METHODS.names)


def register(name: str) -> Callable[[type], type]:
    """Class decorator that registers a Method or a Recipe under `name`.

    Raises ValueError for a name that is malformed or taken, TypeError for a class that is not a frozen dataclass of
    one of the two kinds, or a Method without a `recipe`.
    """

    def enter(cls: type) -> type:
        if isinstance(cls, type) and issubclass(cls, Recipe):
            return RECIPES.register(name)(cls)
        if getattr(cls, "recipe", None) is None and isinstance(cls, type) and issubclass(cls, Method):
            raise TypeError(f"The method {name!r} must name the recipe whose checkpoint it runs on.")
        return METHODS.register(name)(cls)

    return enter


def get(spec: str) -> Method:
    """The method that a spec such as `ddim[eta=0.5]` describes. Raises SpecError with the nearest valid name."""
    return METHODS.get(spec)


def get_recipe(spec: str) -> Recipe:
    """The recipe that a spec describes. Raises SpecError with the nearest valid name."""
    return RECIPES.get(spec)
