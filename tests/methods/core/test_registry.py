from dataclasses import dataclass
from math import inf

import pytest
import torch

from samplerbench.methods import (
    GRIDS,
    GUIDANCES,
    METHODS,
    RECIPES,
    Grid,
    Guidance,
    Linear,
    Method,
    Plugin,
    Recipe,
    SpecError,
    get,
    get_recipe,
    register,
)


@dataclass(frozen=True)
class NewMethod(Method):
    """A sampler."""

    recipe = "ddpm"

    def steps(self, field, x, times, noise):
        yield x


@dataclass(frozen=True)
class NewRecipe(Recipe):
    """A training objective."""

    path = Linear()
    target = "velocity"

    def loss(self, field, x0, label, noise, teacher):
        return x0.flatten(1).mean(1)


@dataclass(frozen=True)
class NewGrid(Grid):
    """A time grid."""

    def times(self, steps, path):
        return torch.linspace(1, 0, steps + 1)


@dataclass(frozen=True)
class NewGuidance(Guidance):
    """A guidance."""

    low: float = 0.0
    high: float = inf
    strength = 2.0

    def guide(self, field, guides):
        return field


@pytest.mark.parametrize(
    ("cls", "registry"), [(NewMethod, METHODS), (NewRecipe, RECIPES), (NewGrid, GRIDS), (NewGuidance, GUIDANCES)]
)
def test_a_class_is_registered_among_its_kind(cls, registry):
    registries = (METHODS, RECIPES, GRIDS, GUIDANCES)
    with registry.temporarily():
        assert register("new")(cls) is cls
        assert registry.get("new") == cls()
        assert [each for each in registries if "new" in each.names()] == [registry]


@dataclass(frozen=True)
class WithoutRecipe(Method):
    """A sampler that names no checkpoint."""

    def steps(self, field, x, times, noise):
        yield x


@dataclass(frozen=True)
class Other(Plugin):
    """A plug-in of no kind that `register` takes."""


@pytest.mark.parametrize(
    ("cls", "message"), [(WithoutRecipe, "must set `recipe`"), (Other, "must be a subclass of Method"), (int, "Method")]
)
def test_other_classes_are_refused(cls, message):
    with pytest.raises(TypeError, match=message):
        register("new")(cls)
    assert "new" not in METHODS.names()


def test_specs_of_methods_and_recipes_are_looked_up_in_their_registries():
    assert str(get("ddim[eta=0.5]")) == "ddim[eta=0.5]"
    assert str(get_recipe("reflow[rounds=2]")) == "reflow[rounds=2]"
    with pytest.raises(SpecError, match=r"No method is named 'dimm'\. Did you mean 'ddim'\?"):
        get("dimm")
    with pytest.raises(SpecError, match="No recipe is named 'dimm'"):
        get_recipe("dimm")
