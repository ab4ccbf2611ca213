"""Where the figures of a run come from, and the commands that make them again."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict

import pandas as pd

from samplerbench.store.labels import label
from samplerbench.store.protocol import NAMES, ranges

UNMEASURED = {"methods", "output", "save_images"}  # said already, or without effect on the figures


def origin(facts: Mapping) -> dict[str, str]:
    """What run.json records of a run's making, as headings and text."""
    environment = dict(facts["environment"])
    packages = ", ".join(f"{name} {version}" for name, version in environment.pop("packages", {}).items())
    protocol = {NAMES.get(name, name): _text(name, value) for name, value in (facts["quality"] or {}).items()}
    weights = {f"weights of {recipe}": source for recipe, source in facts["checkpoints"].items()}
    grids = {f"hash of {file}": digest for file, digest in facts.get("grids", {}).items()}
    return (
        {"command": facts["command"], "commit": facts["commit"] or "unknown", "started": facts["utc"]}
        | {name: _text(name, value) for name, value in environment.items()}
        | {"packages": packages, "number format": facts["sweep"].get("dtype", "")}
        | weights
        | grids
        | {"protocol": facts["protocol"]}
        | protocol
    )


def commands(rows: pd.DataFrame, facts: Mapping[str, dict]) -> list[tuple[str, str]]:
    """For every row that was tried, what it is and the command that measures it again."""
    tried = rows[rows["status"] != "skipped"]
    return [(title(row), command(row, facts[row["run"]]["sweep"])) for row in tried.to_dict("records")]


def title(row: Mapping) -> str:
    """A cell as people call it: its method and steps."""
    return row["name"] if pd.isna(row["steps"]) else f"{row['name']}, {row['steps']} step" + "s" * (row["steps"] > 1)


def command(row: Mapping, sweep: Mapping) -> str:
    """The `bench run` that measures one row again, as a shell takes it; options at their defaults are left out."""
    from samplerbench.sweep.plan import Sweep, normalise  # torch takes seconds to import

    default = asdict(normalise(Sweep()))
    words = ["bench", "run", "--methods", label(row)]
    for name, value in {**sweep, **_own(row, sweep), "nfe": None}.items():
        if name not in UNMEASURED and value is not None and _plain(value) != _plain(default.get(name)):
            words += _option(name, value)
    return shlex.join(words)


def _own(row: Mapping, sweep: Mapping) -> dict:
    """What the row itself says of its making; run.json tells only of the last command that wrote into the run."""
    usual = _defaults(label(row))
    own = {"steps": None if pd.isna(row["steps"]) else [row["steps"]], "dtype": row["dtype"]}
    own |= {name: None if row[name] in ("", usual.get(name)) else row[name] for name in ("recipe", "grid")}
    own |= {"compile": row["compiled"] == "true", "guidance": row["guidance"] or None}
    if row["seeds"]:
        own |= {"samples": row["samples"], "seeds": [int(seed) for seed in row["seeds"].split(",")]}
    asked = sweep.get("batch_size", row["batch_size"])
    full = min(asked, row["samples"]) if row["seeds"] else asked
    return own | {"batch_size": asked if full == row["batch_size"] else row["batch_size"]}


def _defaults(spec: str) -> dict[str, str]:
    """The recipe and grid that a method takes by itself; none for a plug-in that is not installed here."""
    from samplerbench.methods import METHODS, SpecError, get_grid, get_recipe

    try:
        method = METHODS.get(spec)
        return {"recipe": str(get_recipe(method.recipe)), "grid": str(get_grid(method.grid))}
    except SpecError:
        return {}


def _option(name: str, value: object) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if name in ("timing", "quality"):
        return [f"--no-{name}"]
    if value is True:
        return [flag]
    if name == "seeds":
        return [flag, ranges(value)]
    return [flag, ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _text(name: str, value: object) -> str:
    if name == "seeds" and isinstance(value, list):
        return ranges(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
