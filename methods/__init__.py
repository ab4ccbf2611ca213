"""How images are sampled, and what each method trains. A plug-in is one file of this package, or an entry point."""

from methods._base import Method, Noise, Recipe, regression_loss, sample, trajectory, uniform
from methods._field import Field, Prediction, Target, weights
from methods._grid import GRIDS, Grid
from methods._grid_file import GridFile, get_grid, is_grid_file
from methods._guidance import GUIDANCES, Aides, Classifier, Guidance, get_guidance
from methods._path import VE, VP, Cosine, DiscreteVP, Linear, Moment, Path, SubVP, Trigonometric, posterior_std
from methods._registry import METHODS, RECIPES, get, get_recipe, register
from methods._spec import Between, Plugin, Registry, SpecError, nearest, split_specs

__all__ = [
    "GRIDS", "GUIDANCES", "METHODS", "RECIPES", "VE", "VP",
    "Aides", "Between", "Classifier", "Cosine", "DiscreteVP", "Field", "Grid", "GridFile", "Guidance", "Linear",
    "Method", "Moment", "Noise", "Path", "Plugin", "Prediction", "Recipe", "Registry", "SpecError", "SubVP", "Target",
    "Trigonometric",
    "get", "get_grid", "get_guidance", "get_recipe", "is_grid_file", "nearest", "posterior_std", "register",
    "regression_loss", "sample", "split_specs", "trajectory", "uniform", "weights",
]  # fmt: skip
