"""What guidance trades: FID against how many images show what was asked for, over the weights of each sampler."""

from collections.abc import Iterator, Mapping

import pandas as pd

from samplerbench.report.axes import cost_axis, value_axis
from samplerbench.report.chart import Chart, Points, Series
from samplerbench.report.columns import fid_heading, fid_value, heading_of
from samplerbench.report.formats import number, step_count
from samplerbench.report.looks import Look
from samplerbench.store.labels import guided, label
from samplerbench.store.results import Results

ACCURACIES = ("prompt_accuracy", "class_accuracy")  # the first that was measured
SAMPLER = ["method", "options", "recipe", "condition", "grid", "steps"]


def trade_off(group: Results, looks: Mapping[str, Look]) -> list[Chart]:
    """The chart of one protocol: a line for each sampler with several guidances; none if there is no such sampler."""
    rows = group.scored
    accuracy = next((name for name in ACCURACIES if name in rows and rows[name].notna().any()), "")
    if not accuracy:
        return []
    rows = rows[rows[accuracy] > 0]
    several = list(_several(rows))
    if not several:
        return []
    shown, fid, asked = pd.concat(several), fid_heading(group), heading_of(accuracy, group)
    lines = [
        Series(_name(each), looks[each["name"].iloc[0]], _points(each, accuracy, asked)) for each in several
    ]
    return [
        Chart(
            f"{fid} against {asked}",
            "guidance",
            cost_axis(f"{asked}, along guidance weights", shown[accuracy]),
            value_axis(fid, shown, shown["fid"]),
            lines,
        )
    ]


def _several(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows of each sampler with two guidances or more, in the order of the weights."""
    for _, each in rows.groupby(SAMPLER, sort=False, dropna=False):
        if each["guidance"].nunique() > 1:
            yield each.iloc[each["guidance"].map(_weight).argsort(kind="stable")]


def _weight(guidance: str) -> float:
    """The weight of classifier-free guidance; others come last."""
    try:
        return float(guidance or 1)
    except ValueError:
        return float("inf")


def _name(rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    return f"{label(row)} on {row['recipe']}, {step_count(row['steps'])}, by guidance"


def _points(rows: pd.DataFrame, accuracy: str, asked: str) -> Points:
    hover = [
        [guided(row["guidance"]) or "unguided", f"{asked} {number(row[accuracy], '{:.3f}')}", fid_value(row)]
        for row in rows.to_dict("records")
    ]
    return Points(rows[accuracy].tolist(), rows["fid"].tolist(), hover)
