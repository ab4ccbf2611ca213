"""Charts and samples as PNG files, by matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from samplerbench.report.axes import Axis
from samplerbench.report.chart import FRONT, GOLD, PUBLISHED, RED, WORSE, Chart, Series, legend
from samplerbench.report.gallery import Gallery
from samplerbench.report.looks import GREY
from samplerbench.report.mosaic import mosaic

DPI = 110
WIDTH, HEIGHT, TILE = 9.0, 4.6, 1.9  # inches: of a chart with its legend, and of a tile
CONTEXT: dict[str, Any] = {"linewidth": 0.8, "markersize": 3, "alpha": 0.5, "zorder": 1}  # what is not in focus
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "star": "*", "triangle-down": "v"} | {
    "x": "X"
}
LINES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}


def save(picture: Figure, file: Path) -> None:
    """Write a picture as PNG; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(file, dpi=DPI)


def figure(chart: Chart) -> Figure:
    """A chart as a matplotlib figure: methods in focus bear their names, the others are grey."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlabel=chart.x.title, ylabel=chart.y.title)
    axes.grid(alpha=0.3)
    drawn: dict[str, Any] = {}
    if chart.front.x:
        drawn[FRONT] = axes.plot(chart.front.x, chart.front.y, color=GOLD, linewidth=6, alpha=0.5,
                                 drawstyle="steps-post", zorder=0)[0]  # fmt: skip
    for series in chart.series:
        drawn[series.name] = _draw_series(axes, series, chart.y.limits[1])
    if chart.worse.x:
        drawn[WORSE] = axes.plot(chart.worse.x, chart.worse.y, "o", markersize=12, fillstyle="none", color=RED,
                                 markeredgewidth=1.4, zorder=5)[0]  # fmt: skip
    if chart.published.x:
        drawn[PUBLISHED] = axes.plot(chart.published.x, chart.published.y, "d", markersize=4, fillstyle="none",
                                     color=GREY, zorder=1)[0]  # fmt: skip
    for level in filter(lambda level: level.drawn, chart.levels):
        drawn[level.name] = axes.axhline(level.value, linestyle=LINES[level.dash], color=GREY, zorder=1)
    _set_ticks(axes, chart.x, chart.y)
    _add_legend(figure, chart, drawn)
    return figure


def _add_legend(figure: Figure, chart: Chart, drawn: dict[str, Any]) -> None:
    """Beside the chart: what is in focus, and one entry for all other methods."""
    entries = [entry for entry in legend([chart]) if entry.name in drawn and entry.focus]
    handles, texts = [drawn[entry.name] for entry in entries], [entry.text for entry in entries]
    others = [series.name for series in chart.series if not series.look.focus]
    if others:
        handles.append(drawn[others[0]])
        texts.append(f"{len(others)} other methods")
    figure.legend(handles, texts, loc="outside right upper", fontsize=8, frameon=False)


def samples(tiles: Gallery, names: Sequence[str] = ()) -> Figure:
    """The gallery as a picture: a row for each line, a column for each tile. names: the lines to show; all if empty."""
    lines = {name: line for name, line in tiles.lines.items() if name in names or not names}
    rows, columns = len(lines), max(map(len, lines.values()))
    figure = Figure(figsize=(TILE * columns + 0.4, (TILE + 0.25) * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, (name, line) in zip(grid, lines.items(), strict=True):
        row[0].text(-0.06, 0.5, name, transform=row[0].transAxes, rotation=90, ha="right", va="center", fontsize=9)
        for axes, (caption, images) in zip(row, line, strict=False):
            axes.imshow(mosaic(images, scale=-(-64 // images.shape[-1])), interpolation="antialiased")
            axes.set_title(caption, fontsize=8)
    return figure


def _draw_series(axes: Axes, series: Series, limit: float) -> ErrorbarContainer:
    """The line of a method; points beyond the limit of the axis become arrows at its edge."""
    look, points, beyond = series.look, series.points, series.points.beyond(limit)
    strong: Any = {"linewidth": 1.6, "markersize": 5, "zorder": 3} if look.focus else CONTEXT
    if beyond.x:
        axes.plot(beyond.x, beyond.y, "^", color=look.colour, clip_on=False, **strong | {"markersize": 6})
    bars: Any = [series.below, series.above] if series.above and look.focus else None
    beside = series.beside if look.focus else None
    return axes.errorbar(points.x, points.y, bars, beside, color=look.colour, fmt=MARKERS[look.symbol],
                         linestyle=LINES[look.dash], capsize=3, **strong)  # fmt: skip


def _set_ticks(axes: Axes, x: Axis, y: Axis) -> None:
    """The ticks and limits as given, without minor ticks."""
    axes.set_xticks([place for place, _ in x.ticks], [text for _, text in x.ticks])
    axes.set_yticks([place for place, _ in y.ticks], [text for _, text in y.ticks])
    axes.minorticks_off()
    axes.set(xlim=x.limits, ylim=y.limits)
