"""The sample images that a run stored, arranged for display: a line for each method, all from the same noise."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from samplerbench.errors import InputError
from samplerbench.report.columns import fid_heading
from samplerbench.report.formats import number, step_count
from samplerbench.store.labels import guided
from samplerbench.store.raw import teacher_stem
from samplerbench.store.results import Results

TEACHER = "teacher: "  # prefix of the lines of teachers


class Tile(NamedTuple):
    """The first images of one cell, uint8 (N, C, H, W)."""

    caption: str
    images: np.ndarray


@dataclass
class Gallery:
    """Lines of tiles by name. damaged: messages about files that could not be read."""

    lines: dict[str, list[Tile]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


def gallery(group: Results) -> Gallery:
    """The images of one protocol: teachers, then methods in their order, by NFE, and real images at the end."""
    found = Gallery()
    measured = group.rows[(group.rows["status"] == "ok") & group.rows["samples"].notna()]
    _add_teachers(found, group, measured[measured["teacher"] != ""])
    fid = fid_heading(group)
    for name, rows in measured.groupby("name", sort=False):
        for _, row in rows.sort_values("nfe").iterrows():
            _add(found, str(name), _caption(row, fid), group, row["run"], row["cell"])
    if found.lines:
        _add(found, "real images", "reference", group, next(iter(group.facts)), "reference")
    return found


def _add_teachers(found: Gallery, group: Results, students: pd.DataFrame) -> None:
    """A line for each teacher, from the same noise and labels, with a tile for each guidance and run."""
    several = students["run"].nunique() > 1
    for run, teacher, guidance in students[["run", "teacher", "guidance"]].drop_duplicates().itertuples(index=False):
        caption = "\n".join(filter(None, ("fine solution", guided(guidance), run * several)))
        _add(found, f"{TEACHER}{teacher}", caption, group, run, teacher_stem(teacher, guidance))


def _add(found: Gallery, line: str, caption: str, group: Results, run: str, stem: str) -> None:
    try:
        images = group.raw(run, stem).get("images")
    except InputError as error:
        found.damaged.append(str(error))
        return
    if images is not None:
        found.lines.setdefault(line, []).append(Tile(caption, images))


def _caption(row: pd.Series, fid: str) -> str:
    scored = pd.isna(row["nfe"])  # images made elsewhere, by an unknown number of evaluations
    steps = "made elsewhere" if scored else f"{step_count(row['steps'])}, NFE {row['nfe']:g}"
    return steps if pd.isna(row["fid"]) else f"{steps}\n{fid} {number(row['fid'])}"
