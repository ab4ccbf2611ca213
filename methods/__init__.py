"""How images are sampled, and what each method trains. A plug-in is one file of this package, or an entry point."""

from methods._base import Method, Noise, Recipe, regression_loss, sample, trajectory, uniform
from methods._field import Field, Prediction, Target
from methods._grid import GRIDS, Grid
from methods._path import VE, VP, Cosine, DiscreteVP, Linear, Moment, Path, SubVP, Trigonometric, posterior_std
from methods._registry import METHODS, RECIPES, get, get_recipe, register
from methods._spec import Between, Plugin, Registry, SpecError, nearest, split_specs

__all__ = [
    "GRIDS", "METHODS", "RECIPES", "VE", "VP",
    "Between", "Cosine", "DiscreteVP", "Field", "Grid", "Linear", "Method", "Moment", "Noise", "Path", "Plugin",
    "Prediction", "Recipe", "Registry", "SpecError", "SubVP", "Target", "Trigonometric",
    "get", "get_recipe", "nearest", "posterior_std", "register", "regression_loss", "sample", "split_specs",
    "trajectory", "uniform",
]  # fmt: skip
