"""The plug-ins as `bench list` prints them: options with their defaults, facts, and what the docstring says first."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from textwrap import wrap

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import (
    FAULTS,
    GRIDS,
    GUIDANCES,
    METHODS,
    RECIPES,
    ContractError,
    Method,
    Plugin,
    Recipe,
    Registry,
    Sampler,
    argument_of,
    needs_argument,
)
from samplerbench.metrics.base import METRICS, Metric
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.models import PRESETS, shipped
from samplerbench.networks.conditions.base import CONDITIONS
from samplerbench.networks.model import MODELS
from samplerbench.networks.research.family import FAMILIES
from samplerbench.sweep.suite import read_suite, shipped_suites

WIDEST = 52  # characters that a column is padded to, at most
NONE = "-"
INDENT = "  "


@dataclass(frozen=True)
class Kind:
    """A kind of plug-in, and the facts listed of each: their headings, and a function to their texts."""

    registry: Registry
    headings: Sequence[str] = ()
    facts: Callable[..., Sequence[str]] = lambda plugin: ()


def catalogue(kinds: Sequence[str], width: int | None = None) -> list[str]:
    """The plug-ins of these kinds, a text for each kind; under headings, if there are several.

    width: of a terminal, for which each plug-in is a paragraph; otherwise it is a line of a table.
    """
    if len(kinds) == 1:
        return ["\n".join(_lines(kinds[0], width))]
    inner = width and width - len(INDENT)
    return ["\n".join([name, *(f"{INDENT}{line}" for line in _lines(name, inner))]) for name in kinds]


def _lines(name: str, width: int | None) -> list[str]:
    if name == "presets":
        return _presets()
    if name == "suites":
        return _suites(width)
    kind = KINDS[name]
    rows = [_row(kind, name) for name in kind.registry.names()]
    return _table(kind, rows) if width is None else [line for row in rows for line in _paragraph(kind, row, width)]


def _presets() -> list[str]:
    """The sizes of networks for --preset, which are no plug-ins."""
    return [
        f"{name:14} {config.image_channels}x{config.resolution}x{config.resolution}, "
        f"{'/'.join(str(config.channels * factor) for factor in config.multipliers)} channels, "
        f"{config.blocks} blocks each, attention at {', '.join(map(str, config.attention)) or 'the middle'}"
        for name, config in PRESETS.items()
    ]


def _suites(width: int | None) -> list[str]:
    """The suites that come with the package, which are no plug-ins."""
    suites = map(read_suite, shipped_suites())
    return [
        line
        for suite in suites
        for line in wrap(f"{suite.name:9} {suite.description}", width or 1000, subsequent_indent=INDENT * 5)
    ]


def _table(kind: Kind, rows: list[list[str]]) -> list[str]:
    if kind.headings:
        rows = [["", *kind.headings, ""], *rows]
    complete = [row for row in rows if len(row) == len(kind.headings) + 2]
    widths = [min(WIDEST, max(map(len, column))) for column in list(zip(*complete, strict=True))[:-1]]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in rows]


def _paragraph(kind: Kind, row: list[str], width: int) -> list[str]:
    """The plug-in, and indented below it the facts that there are and the summary."""
    name, *facts, summary = row
    told = ", ".join(f"{what} {fact}" for what, fact in zip(kind.headings, facts, strict=False) if fact != NONE)
    below = [line for text in (told, summary) for line in wrap(text, width - 2 * len(INDENT), break_on_hyphens=False)]
    return [name, *(f"{INDENT}{INDENT}{line}" for line in below)]


def _row(kind: Kind, name: str) -> list[str]:
    """Name, facts and summary of a plug-in; or why it failed, so that a broken one does not hide the others."""
    try:
        cls = kind.registry.lookup(name)
        facts = [NONE] * len(kind.headings) if needs_argument(cls) else kind.facts(kind.registry.get(name))
        return [_signature(cls), *facts, _summary(cls)]
    except FAULTS as error:
        prefix = "" if isinstance(error, ContractError) else f"{type(error).__name__}: "
        return [name, f"fails: {prefix}{' '.join(str(error).split())}"]


def _signature(cls: type[Plugin]) -> str:
    """The name with every option and its default, and what comes after a colon."""
    argument = argument_of(cls)
    options = ",".join(f"{field.name}={_shown(field.default)}" for field in fields(cls) if field is not argument)
    spec = f"{cls.name}[{options}]" if options else cls.name
    if argument is None:
        return spec
    after = f":{argument.metadata['argument']}"
    return spec + (after if needs_argument(cls) else f"[{after}]")


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _summary(cls: type[Plugin]) -> str:
    """The first paragraph of the docstring on one line."""
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def _method_facts(method: Method) -> Sequence[str]:
    """Of a method with its default options."""
    return (
        str(method.convergence or NONE),
        _nfe_per_step(method),
        "yes" if Sampler(method, method.nearest_steps(3)).dry_run.draws else "no",
        method.recipe,
        str(method.grid) if method.takes_grid else NONE,
        _joined(method.requires),
        method.reference or NONE,
    )


def _nfe_per_step(method: Method) -> str:
    """Evaluations for one step more, between 10 and 20; those of a step if only one number of steps is supported."""
    some, many = (Sampler(method, method.nearest_steps(count)) for count in (10, 20))
    if some.steps is None or many.steps is None or some.nfe is None or many.nfe is None:
        return NONE
    if some.steps == many.steps:
        return f"{some.nfe / some.steps:g}"
    return f"{(many.nfe - some.nfe) / (many.steps - some.steps):g}"


def _recipe_facts(recipe: Recipe) -> Sequence[str]:
    """Of a recipe: its network, its teacher, and the data sets for which its weights are shipped."""
    datasets = [name for name in DATASETS.names() if shipped(name, str(recipe)).exists()]
    path = type(recipe.path).__name__
    return recipe.target, path, recipe.teacher or NONE, _joined(recipe.provides), ",".join(datasets) or NONE


def _metric_facts(metric: Metric) -> Sequence[str]:
    return (_joined(metric.requires),)


def _joined(capabilities: Iterable[str]) -> str:
    return ",".join(sorted(capabilities)) or NONE


KINDS: dict[str, Kind] = {
    "methods": Kind(
        METHODS, ("order", "NFE/step", "noise", "recipe", "grid", "requires", "reference"), _method_facts
    ),
    "recipes": Kind(RECIPES, ("predicts", "path", "teacher", "provides", "shipped for"), _recipe_facts),
    "datasets": Kind(DATASETS),
    "grids": Kind(GRIDS),
    "guidances": Kind(GUIDANCES),
    "metrics": Kind(METRICS, ("requires",), _metric_facts),
    "models": Kind(MODELS),
    "conditions": Kind(CONDITIONS),
    "families": Kind(FAMILIES),
    "encoders": Kind(ENCODERS),
}  # fmt: skip
