"""The history of metrics over commits: runs appended to a CSV, plotted, with their steps marked."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samplerbench.errors import InputError, writing
from samplerbench.regression.cell import cell_name
from samplerbench.regression.field import compare_field
from samplerbench.regression.rule import RULES
from samplerbench.store.columns import CELL, identity, to_csv, typed
from samplerbench.store.place import Place
from samplerbench.store.repository import measured_commit
from samplerbench.store.stored_rows import read_results

PLOTTED = {"fid": "FID", "overhead_ratio": "overhead", "nfe": "NFE"}
SERIES = [*CELL, "protocol"]  # a cell under another protocol is another line in the plots
ENTRY = [*SERIES, "commit", "environment"]  # measured again, it replaces the earlier row


@dataclass(frozen=True)
class Step:
    """A change of a metric of a cell from one commit to the next, beyond the margin of the default rules."""

    cell: str
    field: str
    commit: str
    before: float
    after: float

    def __str__(self) -> str:
        kind = "worse" if self.after > self.before else "better"
        return f"{self.cell}: {self.field} {kind} at {self.commit}, from {self.before:.4g} to {self.after:.4g}"


def append(folder: Path, runs: tuple[Place, ...]) -> list[Step]:
    """Add runs to `folder`/history.csv, and write history.md and the plots; returns the steps.

    A row replaces an earlier one of the same cell, commit and machine. Raises InputError for a folder without a run,
    rows without a commit, an empty history, or a folder that cannot be written.
    """
    frames = [read_results(folder / "history.csv")] if (folder / "history.csv").exists() else []
    frame = pd.concat([*frames, *map(_measured, runs)]) if frames or runs else None
    if frame is None or frame.empty:
        raise InputError(f"There is no history in {str(folder)!r} yet: give the runs to start it with.")
    keys = [identity(row, ENTRY) for _, row in frame.iterrows()]
    frame = typed(frame[~pd.Series(keys, index=frame.index).duplicated(keep="last").to_numpy()])
    frame = frame.sort_values("utc", kind="stable", ignore_index=True)

    steps = [step for _, series in _series(frame) for step in find_steps(series)]
    with writing(folder):
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        (folder / "history.csv").write_text(to_csv(frame), encoding="utf-8")
        pictures = _draw(folder, frame, steps)
        (folder / "history.md").write_text(_page(frame, steps, pictures), encoding="utf-8")
    return steps


def find_steps(series: pd.DataFrame) -> Iterator[Step]:
    """The steps of one cell, for worse or for better, between each commit and the next."""
    for (_, before), (_, after) in pairwise(series.iterrows()):
        for rule in (rule for rule in RULES if rule.field in series):
            old, new = before[rule.field], after[rule.field]
            if pd.isna(old) or pd.isna(new):
                continue
            changes = compare_field(rule, before, after), compare_field(rule, after, before)
            if any(change.status == "regression" for change in changes):
                yield Step(cell_name(after), rule.field, after["commit"], old, new)


def _measured(run: Place) -> pd.DataFrame:
    """The measured rows of a run. Raises InputError if there are none, or their commit is unknown."""
    frame = read_results(run)
    frame = frame[frame["status"] == "ok"]
    if frame.empty:
        raise InputError(f"{str(run)!r} has no measured rows to append.")
    commit = measured_commit(run)
    if commit:
        frame = frame.assign(commit=commit)  # that of the row is samplerbench's own
    if (frame["commit"] == "").any():
        raise InputError(
            f"{str(run)!r} does not record a commit: start `bench run` inside the git repository that you work on."
        )
    return frame


def _series(frame: pd.DataFrame) -> Iterator[tuple[tuple, pd.DataFrame]]:
    """The rows of each cell under each protocol, oldest first."""
    keys = pd.Series([identity(row, SERIES) for _, row in frame.iterrows()], index=frame.index)
    for key in dict.fromkeys(keys):
        yield key, frame[[other == key for other in keys]]


def _draw(folder: Path, frame: pd.DataFrame, steps: list[Step]) -> list[str]:
    """One picture for each method, with a row of plots for each cell."""
    files = []
    for method in dict.fromkeys(frame["method"]):
        series = [part for _, part in _series(frame[frame["method"] == method])]
        file = f"pictures/{method}.png"
        _plots(series, {(step.cell, step.field, step.commit) for step in steps}).savefig(folder / file, dpi=100)
        files.append(file)
    return files


def _plots(series: list[pd.DataFrame], steps: set[tuple]) -> Figure:
    """steps: the cell, field and commit of each."""
    figure = Figure(figsize=(4 * len(PLOTTED), 2.6 * len(series) + 0.4), layout="constrained")
    grid = figure.subplots(len(series), len(PLOTTED), squeeze=False)
    for line, part in zip(grid, series, strict=True):
        cell = cell_name(part.iloc[-1])
        for axes, (field, title) in zip(line, PLOTTED.items(), strict=True):
            _plot(axes, part, field)
            stepped = [index for index, commit in enumerate(part["commit"]) if (cell, field, commit) in steps]
            for index in stepped:
                axes.axvline(index - 0.5, color="tab:red", linestyle="--")
            axes.set_title(f"{cell}: {title}" if field == "fid" else title, fontsize=8, loc="left")
    return figure


def _plot(axes: Axes, part: pd.DataFrame, field: str) -> None:
    places, values = np.arange(len(part)), part[field].to_numpy()
    if field == "fid" and part["fid_ci_low"].notna().all():
        axes.errorbar(
            places, values, [values - part["fid_ci_low"], part["fid_ci_high"] - values], marker="o", capsize=3
        )
    else:
        axes.plot(places, values, marker="o")
    shown = max(1, len(part) // 8)
    axes.set_xticks(
        places[::shown],
        part["commit"].str[:7].iloc[::shown],
        rotation=40,
        ha="right",
        rotation_mode="anchor",
        fontsize=7,
    )
    axes.tick_params(axis="y", labelsize=7)
    axes.margins(y=0.3)
    axes.grid(alpha=0.3)


def _page(frame: pd.DataFrame, steps: list[Step], pictures: list[str]) -> str:
    commits = frame["commit"].nunique()
    count = f"{commits} commit{'s' * (commits != 1)}"
    found = "\n".join(f"- {step}" for step in steps) or "None: no metric changed by more than the default rules allow."
    plots = "\n\n".join(f"![{Path(file).stem} over commits]({file})" for file in pictures)
    first, last = frame["utc"].iloc[0], frame["utc"].iloc[-1]
    return (
        f"# samplerbench: {count}\n\nFrom {first} to {last}. A dashed line marks a step: a change "
        f"beyond the margin of the default rules.\n\n## Steps\n\n{found}\n\n## Plots\n\n{plots}\n"
    )
