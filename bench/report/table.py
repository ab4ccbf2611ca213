"""Rows as text: one table for the terminal, report.md, report.html and LaTeX."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from samplerbench.errors import InputError, nearest
from samplerbench.report.columns import SPEED, heading, metric_columns, value
from samplerbench.report.formats import compact, number, spread
from samplerbench.report.marks import marks
from samplerbench.report.ranking import pareto, rank_texts, regressions_in_nfe
from samplerbench.store.labels import grids, label
from samplerbench.store.results import Results

LEFT = (
    "method recipe teacher grid guidance run machine protocol dtype compiled graph Pareto status network source "
    "command notes figure checkpoint metric allowed verdict"
).split()
# Shown in full by report.html only, for want of width.
DETAILS = ["compile (s)", "warm-up (s)", "threads", "inner"]
NARROWED = [*DETAILS, "recipe", "machine", "training (s)"]  # the terminal also drops columns declared as wide
# Shown only where rows differ in it: column -> heading.
TELLING = {"run": "run", "machine": "machine", "protocol": "protocol", "batch_size": "batch"} | {
    "dtype": "dtype",
    "compiled": "compiled",
    "cuda_graph": "graph",
}
FLOOR, CEILING = "real images", "noise"
TRAINING = "training (it.)"
WORSE = "worse than at"
MARKED = "notes"

Cells = dict[str, str]


@lru_cache(maxsize=1)  # for the terminal and then for the report: not to be changed in place
def table(results: Results) -> pd.DataFrame:
    """The rows as text, between the floor and the ceiling, without columns that are empty throughout.

    The index is that of the rows, with `FLOOR` and `CEILING` for those two. `attrs["left_out"]` has the rows left out:
    those that were skipped although their method was measured at other step counts. `attrs["wide"]` has the headings
    that the terminal leaves out.
    """
    if results.rows.empty:
        return pd.DataFrame()
    measured = results.rows[results.rows["dtype"] != ""]  # not images made elsewhere, of which little is known
    telling = [
        column for column in TELLING
        if (measured if column in ("dtype", "compiled", "cuda_graph") else results.rows)[column].nunique() > 1
    ]  # fmt: skip
    if results.rows["latency_s"].isna().all() and "machine" in telling:  # which matters to seconds alone
        telling.remove("machine")
    marked = results.rows.assign(grid=grids(results.rows[["grid", "own_grid"]].to_dict("records")))
    texts: dict[object, Cells] = {}
    floors: list[Cells] = []
    ceilings: list[Cells] = []
    for group in results.groups:
        texts |= _texts(group, marked.loc[group.rows.index], telling)
        protocol = {"protocol": group.rows["protocol"].iloc[0]} if "protocol" in telling else {}
        floors += _anchor(FLOOR, protocol, _floor(group))
        ceilings += _anchor(CEILING, protocol, _ceiling(group))
    left_out = _skipped_beside_others(results.rows)
    order = [index for index in results.rows.index if index not in left_out]
    shown = pd.DataFrame(
        [*floors, *(texts[index] for index in order), *ceilings],
        index=[FLOOR] * len(floors) + order + [CEILING] * len(ceilings),
    )
    shown = shown[[*dict.fromkeys(key for row in texts.values() for key in row)]].fillna("")
    if not training_differs(results.rows):
        shown = shown.drop(columns=[*_training(results.rows.iloc[0])])
    shown = shown.loc[:, (shown != "").any()]
    shown.attrs["left_out"] = [texts[index] for index in left_out]
    shown.attrs["wide"] = [*NARROWED, *_wide(results)]
    return shown


def chosen(shown: pd.DataFrame, columns: str) -> pd.DataFrame:
    """The table with these columns, by heading or by its first word, in this order. Raises InputError."""
    headings = {heading.lower(): heading for heading in reversed([*shown])}
    short = {heading.lower().split(" (")[0]: heading for heading in reversed([*shown])}
    found = []
    for name in (name.strip().lower() for name in columns.split(",") if name.strip()):
        if name not in short | headings:
            raise InputError(f"The table has no column {name!r}. {nearest(name, short)}")
        found.append((short | headings)[name])
    return shown[list(dict.fromkeys(found))]


def fronts(group: Results) -> pd.Series:
    """The Pareto fronts of each scored row: `NFE`, `time`, `both` or "". Time compares on one machine only."""
    scored = group.scored
    cheap = pd.Series(pareto(scored["nfe"], scored["fid"]), index=scored.index, dtype=bool)
    quick = pd.Series(False, index=scored.index)
    for _, rows in scored.groupby("machine"):
        quick[rows.index] = pareto(seconds_per_image(rows), rows["fid"], _time_error(rows))
    words = np.select([cheap & quick, cheap, quick], ["both", "NFE", "time"], default="")
    return pd.Series(words, index=scored.index)


def _time_error(rows: pd.DataFrame) -> pd.Series:
    """The interquartile range of the seconds per image; 0 where it is unknown."""
    return (rows["latency_iqr_s"] / rows["batch_size"].astype("float64")).fillna(0.0)


def seconds_per_image(rows: pd.DataFrame) -> pd.Series:
    """The latency of a batch divided by its number of images."""
    return rows["latency_s"] / rows["batch_size"].astype("float64")


def alignment(column: str) -> Literal["left", "right"]:
    """`left` for words, `right` for numbers."""
    return "left" if column in LEFT else "right"


def training_differs(rows: pd.DataFrame) -> bool:
    """Whether the cost of training distinguishes rows: there is a student, or networks trained for unequal times."""
    return bool((rows["teacher"] != "").any()) or rows["train_iterations"].nunique() > 1


def _skipped_beside_others(rows: pd.DataFrame) -> list:
    """The index of the skipped rows whose method was measured at other step counts."""
    methods = pd.Series([label(row) for row in rows.to_dict("records")], index=rows.index, dtype=object)
    measured = set(methods[rows["status"] == "ok"])
    return [*rows.index[(rows["status"] == "skipped") & methods.isin(measured)]]


def _texts(group: Results, rows: pd.DataFrame, telling: list[str]) -> dict[object, Cells]:
    """The cells of every row of one protocol. rows: those of the group, with marked grids."""
    rank, front, fewer = rank_texts(group.scored), fronts(group), regressions_in_nfe(group.scored)
    columns = {heading(column, group.quality): column for column in metric_columns(group) if column.label}
    texts: dict[object, Cells] = {}
    for index, row in zip(rows.index, rows.to_dict("records"), strict=True):  # iterrows() takes ten times as long
        told = {TELLING[column]: str(row[column]) for column in telling}
        judged = {WORSE: number(fewer.get(index, np.nan), "{:g} NFE"), "rank": rank.get(index, "")}
        metrics = {title: value(row, column) for title, column in columns.items()}
        fid = {title: metrics.pop(title) for title, column in columns.items() if column.name == "fid"}
        texts[index] = (
            _identity(row) | told | fid | judged | {"Pareto": front.get(index, "")} | _times_floor(row)
            | metrics | _training(row) | _speed(row)
            | {MARKED: marks(row)} | {"status": "" if row["status"] == "ok" else f"{row['status']}: {row['error']}"}
        )  # fmt: skip
    return texts


def _identity(row: Mapping) -> Cells:
    kinds = {"recipe": row["recipe"], "grid": row["grid"], "guidance": row["guidance"]}
    steps = "" if pd.isna(row["steps"]) else str(row["steps"])
    return {"method": label(row)} | kinds | {"steps": steps, "NFE": number(row["nfe"], "{:g}")}


def _times_floor(row: Mapping) -> Cells:
    ratio = row["fid"] / row["fid_floor"]
    return {"x floor": number(ratio)}


def _training(row: Mapping) -> Cells:
    return {
        "teacher": row["teacher"],
        TRAINING: compact(row["train_iterations"]),
        "teacher NFE": compact(row["teacher_nfe"]),
        "training (s)": number(row["train_seconds"]),
    }


def _speed(row: Mapping) -> Cells:
    cells = {column.label: value(row, column) for column in SPEED}
    return cells | {"overhead": cells["overhead"] + " (noisy)" * (row["noisy"] == "true")}


def _anchor(name: str, protocol: Cells, scores: Cells) -> list[Cells]:
    """The row of the floor or the ceiling, if there is any score to show."""
    return [{"method": name} | protocol | scores] if any(scores.values()) else []


def _floor(group: Results) -> Cells:
    """The scores of real images."""
    return {
        heading(column, group.quality): number(_first(group.rows, column.floor), column.format)
        + spread(_first(group.rows, column.floor_spread))
        for column in metric_columns(group)
        if column.floor
    }


def _ceiling(group: Results) -> Cells:
    """The scores of pure noise."""
    return {
        heading(column, group.quality): number(_first(group.rows, column.ceiling), column.format)
        for column in metric_columns(group)
        if column.ceiling
    }


def _first(rows: pd.DataFrame, name: str) -> float:
    """The first value of a column, which all rows of a protocol share; NaN if there is none."""
    values = rows[name].dropna() if name in rows else pd.Series(dtype="float64")
    return values.iloc[0] if len(values) else np.nan


def _wide(results: Results) -> list[str]:
    """The headings of the columns that were declared as wide."""
    metrics = [
        heading(column, group.quality) for group in results.groups for column in metric_columns(group) if column.wide
    ]
    return [column.label for column in SPEED if column.wide] + metrics
