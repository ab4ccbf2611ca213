"""The registries of methods and recipes, and the decorator that registers a class of any kind."""

from collections.abc import Callable
from typing import Any, TypeVar

from samplerbench.methods.core.discovery import load_plugins
from samplerbench.methods.core.grid import GRIDS, Grid
from samplerbench.methods.core.guidance.base import GUIDANCES, Guidance
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.plugin import Registry
from samplerbench.methods.core.recipe import Recipe

C = TypeVar("C", bound=type)

METHODS: Registry[Method] = Registry("method", Method, load_plugins)
RECIPES: Registry[Recipe] = Registry("recipe", Recipe, load_plugins)
KINDS: dict[type, Registry[Any]] = {Recipe: RECIPES, Grid: GRIDS, Guidance: GUIDANCES, Method: METHODS}


def register(name: str) -> Callable[[C], C]:
    """Class decorator that registers a Method, Recipe, Grid or Guidance under `name`.

    Raises ValueError if the name is malformed or taken, TypeError if the class is not a concrete, frozen dataclass of
    one of these kinds, or is a Method without a `recipe`.
    """

    def enter(cls: C) -> C:
        kinds = [registry for base, registry in KINDS.items() if isinstance(cls, type) and issubclass(cls, base)]
        if METHODS in kinds and getattr(cls, "recipe", None) is None:
            raise TypeError(f"The method {name!r} must set `recipe`, the recipe whose checkpoint it runs on.")
        (kinds or [METHODS])[0].register(name)(cls)
        return cls

    return enter


def get(spec: str) -> Method:
    """The method described by a spec such as `ddim[eta=0.5]`. Raises SpecError, with the nearest valid name."""
    return METHODS.get(spec)


def get_recipe(spec: str) -> Recipe:
    """The recipe described by a spec such as `reflow[rounds=2]`. Raises SpecError, with the nearest valid name."""
    return RECIPES.get(spec)
