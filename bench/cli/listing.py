"""What `bench list` prints."""

from dataclasses import fields

import torch

from samplerbench.data.datasets import DATASETS
from samplerbench.methods import (
    GRIDS,
    GUIDANCES,
    METHODS,
    RECIPES,
    Field,
    Method,
    Plugin,
    Recipe,
    Registry,
    get_recipe,
    sample,
)
from samplerbench.metrics.image_metrics import METRICS
from samplerbench.models import shipped
from samplerbench.sweep.plan import evaluations

KINDS: dict[str, Registry] = {
    "methods": METHODS,
    "recipes": RECIPES,
    "datasets": DATASETS,
    "grids": GRIDS,
    "guidances": GUIDANCES,
    "metrics": METRICS,
}


def listing(kind: str | None) -> str:
    """The plug-ins of one kind, or of all kinds under headings: name, defaults, facts of methods, summary."""
    if kind:
        return "\n".join(_lines(KINDS[kind]))
    return "\n\n".join("\n".join((heading, *("  " + line for line in _lines(KINDS[heading])))) for heading in KINDS)


def _lines(registry: Registry) -> list[str]:
    plugins = [registry.get(name) for name in registry.names()]
    headings, facts = FACTS.get(registry.kind, ((), lambda plugin: ()))
    rows = [(signature(plugin), *facts(plugin), summary(plugin)) for plugin in plugins]
    if headings:
        rows.insert(0, ("", *headings, ""))
    widths = [min(52, max(map(len, column))) for column in zip(*rows, strict=True)][:-1]
    return ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows]


def _facts(method: Method) -> tuple[str, ...]:
    """Order of convergence, evaluations a step, whether noise is drawn, recipe, grid and paper, for its defaults.

    The evaluations and the noise are those of dry runs: of ten more steps, and of three.
    """
    recipe, drawn = get_recipe(method.recipe), []

    def noise(x: torch.Tensor) -> torch.Tensor:
        drawn.append(x)
        return x

    def net(x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return x.repeat(1, recipe.outputs, 1, 1)

    x, field = torch.ones(1, 1, 1, 1), Field(net, recipe.path, recipe.target, solver=recipe.solver)
    few, some, many = map(method.nearest_count, (3, 10, 20))
    sample(method, field, x, few, noise)
    each = None if method.adaptive else _each(method, recipe, some, many)
    return (
        str(method.convergence or "-"), f"{each:g}" if each else "-", "yes" if drawn else "no",
        method.recipe, "-" if method.adaptive or method.own_times else method.grid, method.reference or "-",
    )  # fmt: skip


def _each(method: Method, recipe: Recipe, some: int, many: int) -> float:
    """Evaluations of one step more, between two numbers of steps; of a step where there is but one number."""
    if many == some:
        return evaluations(method, recipe, some) / some
    return (evaluations(method, recipe, many) - evaluations(method, recipe, some)) / (many - some)


def _training(recipe: Recipe) -> tuple[str, ...]:
    """What the network predicts, on which path, its teacher, and the data sets whose weights come with the package."""
    datasets = [name for name in DATASETS.names() if shipped(name, str(recipe)).exists()]
    return recipe.target, type(recipe.path).__name__, recipe.teacher or "-", ",".join(datasets) or "-"


FACTS = {
    "method": (("order", "NFE/step", "noise", "recipe", "grid", "reference"), _facts),
    "recipe": (("predicts", "path", "teacher", "shipped for"), _training),
}


def signature(plugin: Plugin) -> str:
    """The name with every option and its default."""
    options = ",".join(f"{field.name}={_shown(field.default)}" for field in fields(plugin))
    return f"{plugin.name}[{options}]" if options else plugin.name


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def summary(plugin: Plugin) -> str:
    """The first paragraph of the docstring on one line."""
    return " ".join((plugin.__doc__ or "").split("\n\n")[0].split())
