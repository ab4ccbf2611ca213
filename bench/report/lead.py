"""The metric that reports rank and draw: FID, or where it was not measured, the Frechet distance of another encoder."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import pandas as pd

from samplerbench.metrics.column import Column
from samplerbench.store.results import Results

FID = "fid"
# The parts of a metric, by their attribute of Column, and what they are called for FID.
PARTS = {"floor": "fid_floor", "floor_spread": "fid_floor_sd", "ceiling": "fid_ceiling"}


@lru_cache(maxsize=1)  # for the terminal and then for the report
def led(results: Results) -> Results:
    """The results with the leading metric of every run in the place of FID, under its own heading.

    It takes FID's place in runs that did not measure that, if it has all parts of FID: a floor with its spread, and a
    ceiling.
    """
    rows, facts = results.rows, dict(results.facts)
    for run, recorded in results.facts.items():
        lead = _lead(recorded)
        if lead:
            rows = _renamed(rows, rows["run"] == run, lead)
            facts[run] = _described(recorded, lead)
    return replace(results, rows=rows, facts=facts)


def _lead(facts: Mapping) -> Column | None:
    columns = [Column.from_json(each) for each in facts.get("columns", ())]
    if any(column.name == FID for column in columns):
        return None
    return next((each for each in columns if all(getattr(each, part) for part in PARTS)), None)


def _names(lead: Column) -> dict[str, str]:
    return {lead.name: FID} | {getattr(lead, part): name for part, name in PARTS.items()}


def _renamed(rows: pd.DataFrame, of_run: pd.Series, lead: Column) -> pd.DataFrame:
    """The rows with the values of the leading metric in FID's columns."""
    rows = rows.copy()
    for ours, fid in _names(lead).items():
        if fid not in rows:
            rows[fid] = float("nan")
        rows.loc[of_run, fid] = rows.loc[of_run, ours]
        rows.loc[of_run, ours] = float("nan")
    scores = rows.loc[of_run, "scores_per_seed"]
    rows.loc[of_run, "scores_per_seed"] = [_renamed_scores(text, lead.name) for text in scores]
    return rows


def _renamed_scores(text: str, name: str) -> str:
    try:
        return json.dumps({FID if key == name else key: value for key, value in json.loads(text).items()})
    except (ValueError, AttributeError):  # not JSON, or not an object
        return text


def _described(facts: Mapping, lead: Column) -> dict:
    """run.json with the leading metric's columns under FID's names, and the number of its features."""
    names, quality = _names(lead), dict(facts.get("quality") or {})
    width = re.search(r": (\d+) features", str(quality.get(f"encoders of {lead.name}", "")))
    if width:
        quality["features"] = int(width[1])
    columns = [
        {key: names.get(value, value) if isinstance(value, str) else value for key, value in column.items()}
        for column in facts["columns"]
    ]
    return {**facts, "columns": columns, "quality": quality}
