"""Display names of rows: the method, and whatever distinguishes it from other rows of the same method."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

# What distinguishes rows of one method, in the order in which it is added to their names.
TELLING = "recipe condition grid guidance dtype compiled cuda_graph".split()
DEFAULT = " (default)"

Row = Mapping[str, Any]


def label(row: Row) -> str:
    """The spec of the row's method: `method[options]`."""
    return f"{row['method']}[{row['options']}]" if row["options"] else str(row["method"])


def guided(guidance: str) -> str:
    """`guidance 2` for a plain weight, the spec of any other guidance, "" for none."""
    return guidance if not guidance or guidance[0].isalpha() else f"guidance {guidance}"


def family(recipe: str) -> str:
    """The recipe without its options: `progressive` for `progressive[steps=4]`."""
    return recipe.partition("[")[0]


def recipes(rows: Sequence[Row], kinds: Sequence[Hashable]) -> list[str]:
    """The recipe of every row, without its options where the rows of a kind have one recipe for each step count."""
    pairs = defaultdict(set)
    for row, kind in zip(rows, kinds, strict=True):
        pairs[kind, family(row["recipe"])].add((row["recipe"], _steps(row)))
    together = {key for key, found in pairs.items() if _one_per_step_count(found)}
    return [
        family(row["recipe"]) if (kind, family(row["recipe"])) in together else row["recipe"]
        for row, kind in zip(rows, kinds, strict=True)
    ]


def grids(rows: Sequence[Row]) -> list[str]:
    """The time grid of every row; where there are several, a method's default grid is marked as such."""
    several = len({row["grid"] for row in rows} - {""}) > 1
    return [
        row["grid"] + DEFAULT if several and row["grid"] and row["own_grid"] == "true" else row["grid"] for row in rows
    ]


def names(rows: pd.DataFrame) -> list[str]:
    """The method of every row, with what distinguishes it from other rows of that method; the run comes last."""
    records = rows.to_dict("records")
    found = [label(row) for row in records]
    for column in TELLING:
        found = _distinguished(found, _texts(column, records, found))
    return _with_runs(found, records)


def _steps(row: Row) -> object:
    return None if pd.isna(row["steps"]) else row["steps"]


def _one_per_step_count(pairs: set[tuple]) -> bool:
    """Whether these (recipe, steps) pair every recipe with a step count of its own, and there are several."""
    recipes, steps = map(set, zip(*pairs, strict=True))
    return 1 < len(pairs) == len(recipes) == len(steps)


def _texts(column: str, rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """What a column adds to the name of every row."""
    if column == "recipe":
        return recipes(rows, names)
    if column == "condition":
        return [row["condition"] or "unconditional" for row in rows]
    if column == "grid":
        return grids(rows)
    if column == "guidance":
        return [guided(row["guidance"]) or "unguided" for row in rows]
    if column == "compiled":
        return ["compiled" if row["compiled"] == "true" else "not compiled" for row in rows]
    if column == "cuda_graph":
        return ["CUDA graph" if row.get(column) == "true" else "no CUDA graph" for row in rows]
    return [str(row[column]) for row in rows]


def _distinguished(names: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Every name with its text, where rows of the same name have several texts."""
    variants = defaultdict(set)
    for name, text in zip(names, texts, strict=True):
        variants[name].add(text)
    return [f"{name}, {text}" if len(variants[name]) > 1 else name for name, text in zip(names, texts, strict=True)]


def _with_runs(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Every name with its run, where several runs have measured the same cell under it."""
    keys = [(name, _steps(row), row["protocol"]) for name, row in zip(names, rows, strict=True)]
    again = {name for (name, *_), count in Counter(keys).items() if count > 1}
    return [
        f"{name}, {row['run']}" if name in again and row["run"] else name for name, row in zip(names, rows, strict=True)
    ]
