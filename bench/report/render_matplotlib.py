"""Charts and samples as PNG files, by matplotlib."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from samplerbench.report.chart import FRONT, GOLD, GREY, PUBLISHED, RED, WORSE, Axis, Chart, Series, legend
from samplerbench.report.gallery import Gallery
from samplerbench.report.mosaic import mosaic

DPI = 110
WIDTH, HEIGHT, LINE, ENTRIES = 7.5, 4.2, 0.19, 3  # inches: of a chart, of a line of its legend; entries a line
TILE, SMALL_TILE, MANY = 2.1, 1.4, 10  # inches; small ones for this many lines and more
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "star": "*", "triangle-down": "v"} | {
    "x": "X"
}
LINES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def save(picture: Figure, file: Path) -> None:
    """Write a picture as PNG; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(file, dpi=DPI)


def figure(chart: Chart) -> Figure:
    """A chart as a matplotlib figure, with its legend below."""
    entries = legend([chart])
    figure = Figure(figsize=(WIDTH, HEIGHT + LINE * -(-len(entries) // ENTRIES)), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlabel=chart.x.title, ylabel=chart.y.title)
    axes.grid(alpha=0.3)
    drawn: dict[str, Any] = {series.name: _draw_series(axes, series) for series in chart.series}
    if chart.front.x:
        drawn[FRONT] = axes.plot(chart.front.x, chart.front.y, color=GOLD, linewidth=6, alpha=0.5,
                                 drawstyle="steps-post", zorder=0)[0]  # fmt: skip
    if chart.worse.x:
        drawn[WORSE] = axes.plot(chart.worse.x, chart.worse.y, "o", markersize=14, fillstyle="none", color=RED,
                                 markeredgewidth=1.6, zorder=5)[0]  # fmt: skip
    if chart.published.x:
        drawn[PUBLISHED] = axes.plot(chart.published.x, chart.published.y, "d", markersize=4, fillstyle="none",
                                     color=GREY, zorder=1)[0]  # fmt: skip
    for level in chart.levels:
        drawn[level.name] = (
            axes.axhline(level.value, linestyle=LINES[level.dash], color=GREY, zorder=1)
            if level.drawn
            else axes.plot([], [], " ")[0]
        )
    _set_ticks(axes, chart.x, chart.y)
    texts = [entry.text + ", not drawn" * (not entry.shown) for entry in entries]
    figure.legend([drawn[entry.name] for entry in entries], texts, loc="outside lower center", ncols=ENTRIES,
                  fontsize=8, frameon=False)  # fmt: skip
    return figure


def samples(tiles: Gallery) -> Figure:
    """The gallery as a picture: a row for each line, a column for each tile."""
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


def _draw_series(axes: Axes, series: Series) -> ErrorbarContainer:
    bars: Any = [series.below, series.above] if series.above else None
    look, points = series.look, series.points
    return axes.errorbar(points.x, points.y, bars, series.beside, color=look.colour, fmt=MARKERS[look.symbol],
                         linestyle=LINES[look.dash], linewidth=1.3, markersize=5, capsize=3)  # fmt: skip


def _set_ticks(axes: Axes, x: Axis, y: Axis) -> None:
    """The ticks as given, without minor ones, and without stretching the axes to those beyond the points."""
    limits = {"xlim": axes.get_xlim(), "ylim": axes.get_ylim()}
    axes.set_xticks(*zip(*x.ticks, strict=True))
    axes.set_yticks(*zip(*y.ticks, strict=True))
    axes.minorticks_off()
    axes.set(**limits)
