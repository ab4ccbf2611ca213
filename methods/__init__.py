"""How images are sampled, and what each method trains. A plug-in is one file of this package, or an entry point."""

from samplerbench.methods.core.field import Field, Prediction, Target, weights
from samplerbench.methods.core.grid import GRIDS, Grid
from samplerbench.methods.core.guidance import GUIDANCES, Aides, Classifier, Guidance, get_guidance
from samplerbench.methods.core.method import Method, Noise, Recipe, regression_loss, sample, trajectory, uniform
from samplerbench.methods.core.path import (
    VE,
    VP,
    Cosine,
    DiscreteVP,
    Linear,
    Moment,
    Path,
    SubVP,
    Trigonometric,
    posterior_std,
)
from samplerbench.methods.core.plugin import Between, Plugin, Registry, SpecError, nearest, split_specs
from samplerbench.methods.core.registry import METHODS, RECIPES, get, get_recipe, register
from samplerbench.methods.core.tuned_grid import GridFile, get_grid, is_grid_file

__all__ = [
    "GRIDS", "GUIDANCES", "METHODS", "RECIPES", "VE", "VP",
    "Aides", "Between", "Classifier", "Cosine", "DiscreteVP", "Field", "Grid", "GridFile", "Guidance", "Linear",
    "Method", "Moment", "Noise", "Path", "Plugin", "Prediction", "Recipe", "Registry", "SpecError", "SubVP", "Target",
    "Trigonometric",
    "get", "get_grid", "get_guidance", "get_recipe", "is_grid_file", "nearest", "posterior_std", "register",
    "regression_loss", "sample", "split_specs", "trajectory", "uniform", "weights",
]  # fmt: skip
