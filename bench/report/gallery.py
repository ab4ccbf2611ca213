"""The images that a run kept, laid out for pictures: a line a method, on the same noise, below teachers, above real."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from samplerbench.errors import InputError
from samplerbench.report.table import number
from samplerbench.store.labels import guided
from samplerbench.store.results import Results
from samplerbench.store.run_directory import teacher_stem

TEACHER = "teacher: "  # what the line of a teacher begins with


@dataclass
class Gallery:
    """Lines of tiles; a tile is a caption and uint8 images (N, C, H, W). damaged: what could not be read, in words."""

    lines: dict[str, list[tuple[str, np.ndarray]]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


def gallery(group: Results) -> Gallery:
    """What the rows of one protocol have kept: teachers, then methods in their order, from few evaluations to many."""
    found = Gallery()
    measured = group.rows[(group.rows["status"] == "ok") & group.rows["samples"].notna()]
    _hang_teachers(found, group, measured[measured["teacher"] != ""])
    for name, rows in measured.groupby("name", sort=False):
        for _, row in rows.sort_values("nfe").iterrows():
            _hang(found, str(name), _caption(row, group.fid), group, row["run"], row["cell"])
    if found.lines:
        _hang(found, "real images", "reference", group, next(iter(group.facts)), "reference")
    return found


def _hang_teachers(found: Gallery, group: Results, students: pd.DataFrame) -> None:
    """A line for each teacher, from the same noise and labels; a tile for each guidance, and run if several have it."""
    several = students["run"].nunique() > 1
    for run, teacher, guidance in students[["run", "teacher", "guidance"]].drop_duplicates().itertuples(index=False):
        caption = "\n".join(filter(None, ("fine solution", guided(guidance), run * several)))
        _hang(found, f"{TEACHER}{teacher}", caption, group, run, teacher_stem(teacher, guidance))


def _hang(found: Gallery, line: str, caption: str, group: Results, run: str, stem: str) -> None:
    try:
        images = group.raw(run, stem).get("images")
    except InputError as error:
        found.damaged.append(str(error))
        return
    if images is not None:
        found.lines.setdefault(line, []).append((caption, images))


def _caption(row: pd.Series, score: str) -> str:
    steps = "adaptive" if pd.isna(row["steps"]) else f"{row['steps']} step" + "s" * (row["steps"] > 1)
    return f"{steps}, NFE {row['nfe']:g}" + ("" if pd.isna(row["fid"]) else f"\n{score} {number(row['fid'])}")
