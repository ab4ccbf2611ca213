"""What methods and figures are called in reports."""

from collections.abc import Mapping

import pandas as pd

# What tells rows of one method apart, in the order in which it is tried.
TELLING = "recipe grid guidance dtype compiled".split()
OWN = " (own)"


def fid_name(quality: Mapping | None) -> str:
    """FID with its extractor: never plain "FID" unless it is Inception's. `quality`: that of run.json."""
    return in_features("FID", quality)


def in_features(figure: str, quality: Mapping | None) -> str:
    """The name of a figure that depends on the extractor: by itself if that is Inception, as the field has it.

    On exact data there is no extractor, and so no FID but the distance alone.
    """
    extractor = (quality or {}).get("extractor", "")
    if (figure, extractor) == ("FID", "pixels"):
        return "Frechet distance"
    return figure if extractor.startswith("inception") else f"{figure} ({extractor})"


def family(recipe: str) -> str:
    """The recipe without its options: `progressive` of `progressive[steps=4]`."""
    return recipe.partition("[")[0]


def recipes(rows: pd.DataFrame, kinds: pd.Series) -> pd.Series:
    """The recipe of every row; its family alone where it has several, each for a step count of its own."""
    frame = pd.DataFrame({"kind": kinds, "recipe": rows["recipe"], "steps": rows["steps"].astype("float64")})
    frame["family"] = frame["recipe"].map(family)
    pairs = frame.drop_duplicates()
    own = ~(
        pairs.duplicated(["kind", "recipe"], keep=False) | pairs.duplicated(["kind", "family", "steps"], keep=False)
    )
    groups = [pairs["kind"], pairs["family"]]
    together = own.groupby(groups).all() & (pairs["recipe"].groupby(groups).nunique() > 1)
    alone = [together[key] for key in zip(frame["kind"], frame["family"], strict=True)]
    return frame["recipe"].where(~pd.Series(alone, index=rows.index, dtype=bool), frame["family"])


def label(row: Mapping) -> str:
    """The spec of the row's method: `method[options]`."""
    return f"{row['method']}[{row['options']}]" if row["options"] else row["method"]


def grids(rows: pd.DataFrame) -> pd.Series:
    """The time grid of every row, marked where it is the method's own while the rows have several."""
    several = rows["grid"][rows["grid"] != ""].nunique() > 1
    return rows["grid"].where(~(several & (rows["own_grid"] == "true")), rows["grid"] + OWN)


def names(rows: pd.DataFrame) -> pd.Series:
    """The method of every row, with what it takes to tell it from other rows of the method, the run at last."""
    found = pd.Series([label(row) for row in rows.to_dict("records")], index=rows.index, dtype=object)
    for column in TELLING:
        values = _values(rows, column, found)
        several = values.groupby(found).transform("nunique") > 1
        found = found.where(~several, found + _suffixes(values.map(lambda value, c=column: _told(c, value))))
    again = rows.assign(name=found).duplicated(["name", "steps", "protocol"], keep=False)
    several = found.isin(found[again]) & (rows["run"] != "")
    return found.where(~several, found + _suffixes(rows["run"]))


def _values(rows: pd.DataFrame, column: str, kinds: pd.Series) -> pd.Series:
    """What a column tells of rows that are called alike up to now."""
    if column == "recipe":
        return recipes(rows, kinds)
    return grids(rows) if column == "grid" else rows[column]


def _suffixes(texts: pd.Series) -> pd.Series:
    return texts.map(lambda text: f", {text}").astype(object)


def _told(column: str, value: object) -> str:
    if column == "guidance":
        return guided(value) or "unguided"
    if column == "compiled":
        return "compiled" if value == "true" else "not compiled"
    return str(value)


def guided(guidance: str) -> str:
    """`guidance 2`, or the spec of a guidance that is more than a weight; empty where there is none."""
    return guidance if not guidance or guidance[0].isalpha() else f"guidance {guidance}"
