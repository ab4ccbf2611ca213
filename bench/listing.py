"""What `bench list` prints."""

from dataclasses import fields

from bench.data import DATASETS
from bench.metrics import METRICS
from methods import GRIDS, METHODS, RECIPES, Plugin, Registry

KINDS: dict[str, Registry] = {
    "methods": METHODS,
    "recipes": RECIPES,
    "datasets": DATASETS,
    "grids": GRIDS,
    "metrics": METRICS,
}


def listing(kind: str | None) -> str:
    """The plug-ins of one kind, or of all kinds under headings: name, defaults, first line of the docstring."""
    if kind:
        return "\n".join(_lines(KINDS[kind]))
    return "\n\n".join("\n".join((heading, *("  " + line for line in _lines(KINDS[heading])))) for heading in KINDS)


def _lines(registry: Registry) -> list[str]:
    plugins = [registry.get(name) for name in registry.names()]
    names = [signature(plugin) for plugin in plugins]
    width = min(32, max(map(len, names)))
    return [f"{name:<{width}}  {summary(plugin)}" for name, plugin in zip(names, plugins, strict=True)]


def signature(plugin: Plugin) -> str:
    """The name with every option and its default."""
    options = ",".join(f"{field.name}={_shown(field.default)}" for field in fields(plugin))
    return f"{plugin.name}[{options}]" if options else plugin.name


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def summary(plugin: Plugin) -> str:
    """The first paragraph of the docstring on one line."""
    return " ".join((plugin.__doc__ or "").split("\n\n")[0].split())
