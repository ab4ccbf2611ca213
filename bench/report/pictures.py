"""The pictures of report.md: samples on the same noise, and quality against evaluations and against time."""

from collections.abc import Iterable, Iterator
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from samplerbench.report.gallery import Gallery
from samplerbench.report.monotone import better_at
from samplerbench.report.published import comparable
from samplerbench.report.ranking import pareto
from samplerbench.report.table import ERROR, fitted_orders, number, seconds_per_image
from samplerbench.report.ticks import ticks
from samplerbench.store.results import Results

MARGIN = 1  # pixels between images, in pixels of the image
COLUMNS = 4  # images in a row of a tile
TILE, SMALL_TILE, MANY = 2.1, 1.4, 10  # inches, from so many lines on
DPI = 110
FEW = 8  # numbers of evaluations that can all be ticks
LOOKS = [(colour, marker) for marker in "osD^vPX*" for colour in [f"C{i}" for i in range(10)]]
GREY = {"color": "grey", "zorder": 1}


def draw(group: Results, tiles: Gallery, mark: str = "") -> dict[str, str]:
    """Draw what one protocol has data for into `pictures/`; returns title -> file, relative to the report.

    mark: what to add to the names of the files where a report has several protocols.
    """
    drawn = {}
    for title, stem, figure in _figures(group, tiles):
        file = f"pictures/{stem}{mark}.png"
        (group.folder / "pictures").mkdir(exist_ok=True)
        figure.savefig(group.folder / file, dpi=DPI)
        drawn[title] = file
    return drawn


def _figures(group: Results, tiles: Gallery) -> Iterator[tuple[str, str, Figure]]:
    if tiles.lines:
        yield "Samples, on the same noise", "samples", _samples(tiles)
    if len(group.scored):
        yield f"{group.fid} against evaluations", "quality", _against_evaluations(group)
    if len(group.solved):
        yield f"{ERROR} against evaluations", "error", _errors(group.solved)
    for index, (machine, rows) in enumerate(group.timed.groupby("machine", sort=False)):
        title = f"{group.fid} against time on {machine}"
        yield title, "latency" + (f"-{index + 1}" if index else ""), _against_time(group, rows)


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


def _samples(tiles: Gallery) -> Figure:
    """One row a method, one column a step count, and a row of real images."""
    rows, columns = len(tiles.lines), max(map(len, tiles.lines.values()))
    size = TILE if rows < MANY else SMALL_TILE
    figure = Figure(figsize=(size * columns + 0.4, (size + 0.25) * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, (name, line) in zip(grid, tiles.lines.items(), strict=True):
        row[0].text(-0.06, 0.5, name, transform=row[0].transAxes, rotation=90, ha="right", va="center", fontsize=9)
        for axes, (caption, images) in zip(row, line, strict=False):
            axes.imshow(mosaic(images, scale=-(-64 // images.shape[-1])), interpolation="antialiased")
            axes.set_title(caption, fontsize=8 if size == TILE else 6)
    return figure


def _against_evaluations(group: Results) -> Figure:
    figure, axes = _axes("network evaluations per image (NFE)", group.fid)
    rows = group.scored
    _front(axes, rows["nfe"], rows["fid"])
    for row, colour, marker in _methods(rows):
        axes.errorbar(row["nfe"], row["fid"], _bars(row), label=row["name"].iloc[0], color=colour, fmt=f"{marker}-",
                      markersize=5, capsize=3)  # fmt: skip
    _rings(axes, rows[better_at(rows).notna()])
    others = comparable(group)
    if len(others):
        axes.plot(
            others["nfe"], others["fid"], "d", markersize=4, fillstyle="none", **GREY, label="published, other networks"
        )
    _levels(axes, rows)
    _ticks(axes, [*rows["nfe"], *others["nfe"]], [*rows["fid"], *others["fid"]], FEW)
    _legend(figure)
    return figure


def _rings(axes: Axes, worse: pd.DataFrame) -> None:
    """Around what is worse than the same method with fewer evaluations."""
    if len(worse):
        axes.plot(worse["nfe"], worse["fid"], "o", markersize=14, fillstyle="none", color="red", markeredgewidth=1.6,
                  zorder=5, label="worse than with fewer evaluations")  # fmt: skip


def _errors(rows: pd.DataFrame) -> Figure:
    figure, axes = _axes("network evaluations per image (NFE)", ERROR)
    orders = fitted_orders(rows)
    for row, colour, marker in _methods(rows):
        name = row["name"].iloc[0]
        axes.plot(row["nfe"], row["trajectory_rmse"], f"{marker}-", markersize=5, color=colour,
                  label=name + orders.get(name, ""))  # fmt: skip
    limits = axes.get_xlim()
    axes.set_xticks(ticks(rows["nfe"], FEW), [f"{place:g}" for place in ticks(rows["nfe"], FEW)])
    axes.minorticks_off()
    axes.set(xlim=limits)
    _legend(figure)
    return figure


def _against_time(group: Results, rows: pd.DataFrame) -> Figure:
    figure, axes = _axes("milliseconds per image", group.fid)
    _front(axes, 1e3 * seconds_per_image(rows), rows["fid"])
    for row, colour, marker in _methods(rows):
        spread = 1e3 * row["latency_iqr_s"] / row["batch_size"].astype("float64") / 2
        axes.errorbar(1e3 * seconds_per_image(row), row["fid"], _bars(row), spread, label=row["name"].iloc[0],
                      color=colour, fmt=f"{marker}-", markersize=5, capsize=3)  # fmt: skip
    _levels(axes, rows)
    _ticks(axes, 1e3 * seconds_per_image(rows), rows["fid"])
    _legend(figure)
    return figure


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def _ticks(axes: Axes, x: Iterable[float], y: Iterable[float], few: int = 0) -> None:
    left, right, bottom, top = *axes.get_xlim(), *axes.get_ylim()
    axes.set_xticks(ticks(x, few), [f"{place:g}" for place in ticks(x, few)])
    axes.set_yticks(ticks(y, 0), [f"{place:g}" for place in ticks(y, 0)])
    axes.minorticks_off()
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _methods(rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str, str]]:
    groups = (group.sort_values("nfe") for _, group in rows.groupby("name", sort=False))
    return ((group, *look) for group, look in zip(groups, cycle(LOOKS), strict=False))


def _bars(rows: pd.DataFrame) -> list[pd.Series] | None:
    """The error bars of the FID, or none at all if there are no seed blocks to make them from."""
    spread = [rows["fid"] - rows["fid_ci_low"], rows["fid_ci_high"] - rows["fid"]]
    return None if rows["fid_ci_low"].isna().all() else spread


def _front(axes: Axes, cost: pd.Series, fid: pd.Series) -> None:
    chosen = pareto(cost, fid)
    points = sorted(zip(cost[chosen], fid[chosen], strict=True))
    axes.plot(*zip(*points, strict=True), color="gold", linewidth=6, alpha=0.6, drawstyle="steps-post", zorder=0,
              label="Pareto front")  # fmt: skip


def _levels(axes: Axes, rows: pd.DataFrame) -> None:
    """The floor as a line; the ceiling too where it is near enough to leave room for the rest."""
    floor, ceiling = (rows[column].dropna().head(1) for column in ("fid_floor", "fid_ceiling"))
    for value in floor:
        axes.axhline(value, linestyle="--", **GREY, label=f"real images (floor): {number(value)}")
    for value in ceiling:
        if value < 10 * rows["fid"].max():
            axes.axhline(value, linestyle=":", **GREY, label=f"noise (ceiling): {number(value)}")
        else:
            axes.plot([], [], " ", label=f"noise (ceiling): {number(value)}, not drawn")


def _legend(figure: Figure) -> None:
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
