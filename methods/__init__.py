"""Samplers, training recipes, time grids and guidance. A plug-in is one file here, or another package's entry point."""

from samplerbench.methods.core.capabilities import CAPABILITIES, DENOISER, unmet
from samplerbench.methods.core.contract import EXCESS, FAULTS, UNANNOUNCED, ContractError, Limit
from samplerbench.methods.core.discovery import import_files, load_entry_points
from samplerbench.methods.core.field import Field, Prediction, Target, weights
from samplerbench.methods.core.grid import GRIDS, Grid
from samplerbench.methods.core.guidance.base import GUIDANCES, Classifier, Guidance, GuidedField, Guides, get_guidance
from samplerbench.methods.core.method import Method
from samplerbench.methods.core.parametrisation import Parametrisation
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
from samplerbench.methods.core.plugin import (
    Between,
    Plugin,
    Registry,
    SpecError,
    argument_of,
    nearest,
    needs_argument,
    split_specs,
)
from samplerbench.methods.core.recipe import Denoising, Noise, Recipe, regression_loss, uniform
from samplerbench.methods.core.registry import METHODS, RECIPES, get, get_recipe, register
from samplerbench.methods.core.sampler import Sampler, sample, trajectory
from samplerbench.methods.core.tabulated_path import Tabulated
from samplerbench.methods.core.tuned_grid import TunedGrid, get_grid, is_grid_file

__all__ = [
    "CAPABILITIES", "DENOISER", "EXCESS", "FAULTS", "GRIDS", "GUIDANCES", "METHODS", "RECIPES", "UNANNOUNCED", "VE",
    "VP", "Between", "Classifier", "ContractError", "Cosine", "Denoising", "DiscreteVP", "Field", "Grid",
    "Guidance", "GuidedField", "Guides", "Limit", "Linear", "Method", "Moment", "Noise", "Parametrisation", "Path",
    "Plugin", "Prediction", "Recipe", "Registry", "Sampler", "SpecError", "SubVP", "Tabulated", "Target",
    "Trigonometric", "TunedGrid", "argument_of", "get", "get_grid", "get_guidance", "get_recipe", "import_files",
    "is_grid_file", "load_entry_points", "nearest", "needs_argument", "posterior_std", "register",
    "regression_loss", "sample", "split_specs", "trajectory", "uniform", "unmet", "weights",
]  # fmt: skip
