"""The pictures of a report: samples on the same noise, and quality against evaluations."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from bench.store import read_raw
from bench.table import fid_name, label

MARGIN = 1  # pixels between images, in pixels of the image
COLUMNS = 4  # images in a row of a tile
TILE = 2.1  # inches


def draw(run: Path, frame: pd.DataFrame, facts: dict) -> dict[str, str]:
    """Draw what the run has data for into `pictures/`; returns title -> file, relative to the run."""
    (run / "pictures").mkdir(exist_ok=True)
    drawn = {}
    measured = frame[(frame["status"] == "ok") & frame["samples"].notna()]
    kept = measured[[(run / "raw" / f"{cell}.npz").exists() for cell in measured["cell"]]]
    if len(kept):
        _samples(run, kept, fid_name(facts)).savefig(run / "pictures" / "samples.png", dpi=110)
        drawn["Samples, on the same noise"] = "pictures/samples.png"
    if measured["fid"].notna().any():
        _quality(measured, facts).savefig(run / "pictures" / "quality.png", dpi=110)
        drawn["Quality against evaluations"] = "pictures/quality.png"
    return drawn


def mosaic(images: np.ndarray, columns: int = COLUMNS, scale: int = 1) -> np.ndarray:
    """uint8 images (N, C, H, W) side by side with a margin, enlarged: one picture (height, width, 3)."""
    count, _, height, width = images.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (height + MARGIN) + MARGIN, columns * (width + MARGIN) + MARGIN, 3), 255, np.uint8)
    for index, image in enumerate(images):
        top = MARGIN + index // columns * (height + MARGIN)
        left = MARGIN + index % columns * (width + MARGIN)
        canvas[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    return canvas.repeat(scale, axis=0).repeat(scale, axis=1)


def _samples(run: Path, frame: pd.DataFrame, score: str) -> Figure:
    """One row a method, one column a step count, and a row of real images."""
    groups = [(name, group.sort_values("nfe")) for name, group in frame.groupby(_row_name(frame), sort=False)]
    reference = read_raw(run, "reference").get("images")
    rows = len(groups) + (reference is not None)
    columns = max(len(group) for _, group in groups)

    figure = Figure(figsize=(TILE * columns + 0.4, (TILE + 0.25) * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for line, (name, group) in zip(grid, groups, strict=False):
        for axes, (_, row) in zip(line, group.iterrows(), strict=False):
            _show(axes, read_raw(run, row["cell"])["images"])
            axes.set_title(_caption(row, score), fontsize=8)
        _name(line[0], name)
    if reference is not None:
        _show(grid[-1, 0], reference)
        grid[-1, 0].set_title("reference", fontsize=8)
        _name(grid[-1, 0], "real images")
    return figure


def _name(axes, text: str) -> None:
    axes.text(-0.06, 0.5, text, transform=axes.transAxes, rotation=90, ha="right", va="center", fontsize=11)


def _row_name(frame: pd.DataFrame) -> pd.Series:
    """Methods, told apart by recipe or grid where the run has several of them for one method."""
    names = frame.apply(label, axis=1)
    for column in ("recipe", "grid"):
        if (frame.groupby(names)[column].nunique() > 1).any():
            names = names + ", " + frame[column]
    return names


def _show(axes, images: np.ndarray) -> None:
    axes.imshow(mosaic(images, scale=-(-64 // images.shape[-1])), interpolation="antialiased")


def _caption(row: pd.Series, score: str) -> str:
    steps = "adaptive" if pd.isna(row["steps"]) else f"{row['steps']} step" + "s" * (row["steps"] > 1)
    return f"{steps}, NFE {row['nfe']:g}" + ("" if pd.isna(row["fid"]) else f"\n{score} {row['fid']:#.3g}")


def _quality(frame: pd.DataFrame, facts: dict) -> Figure:
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.subplots()
    for (name, group), marker in zip(frame.groupby(_row_name(frame), sort=False), "osD^vPX*<>" * 20, strict=False):
        group = group.sort_values("nfe")
        spread = [group["fid"] - group["fid_ci_low"], group["fid_ci_high"] - group["fid"]]
        bars = None if group["fid_ci_low"].isna().all() else spread
        axes.errorbar(group["nfe"], group["fid"], bars, label=name, marker=marker, markersize=5, capsize=3)
    axes.axhline(frame["fid_floor"].iloc[0], color="grey", linestyle="--", label="floor (real images)")
    axes.set(xscale="log", yscale="log", xlabel="network evaluations per image (NFE)", ylabel=fid_name(facts))
    ticks = sorted(set(frame["nfe"]))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
