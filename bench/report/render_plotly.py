"""Charts as interactive HTML, by plotly."""

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from math import log10
from pathlib import Path

import plotly.graph_objects as go
from plotly.io import to_html

from samplerbench.report.axes import Axis
from samplerbench.report.chart import FRONT, GOLD, PUBLISHED, RED, WORSE, Chart, Points, Series
from samplerbench.report.looks import GREY

GRID = "rgba(128, 128, 128, 0.25)"
HEIGHT = 430  # pixels
CONTEXT = 0.45  # opacity of what is not in focus
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}


@cache
def library() -> str:
    """The basic bundle of plotly.js, a quarter of the whole one, which is all that scatter plots need.

    Without the addresses from which it would fetch maps: the page must work offline.
    """
    text = (Path(__file__).parent / "templates" / "plotly-basic.min.js").read_text(encoding="utf-8")
    return re.sub(r"https?://[\w.-]*cdn[\w./-]*", "about:blank#", text)


def html(chart: Chart, name: str) -> str:
    """A chart as HTML with the id `name`; it needs `library()` on the page."""
    return to_html(figure(chart), full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)


def figure(chart: Chart) -> go.Figure:
    """A chart as a plotly figure, without a legend: its traces bear the names of the legend's entries."""
    figure = go.Figure()
    if chart.front.x:
        line = {"color": GOLD, "width": 7, "shape": "hv"}
        _add(figure, FRONT, chart.front, mode="lines", line=line, opacity=0.45)
    for series in sorted(chart.series, key=lambda series: series.look.focus):
        _add_series(figure, series, chart.y.limits[1])
    if chart.worse.x:
        ring = {"symbol": "circle-open", "size": 18, "color": RED, "line": {"width": 2}}
        _add(figure, WORSE, chart.worse, mode="markers", marker=ring)
    _add_levels(figure, chart)
    if chart.published.x:
        _add(figure, PUBLISHED, chart.published, mode="markers",
             marker={"symbol": "diamond-open", "size": 7, "color": GREY})  # fmt: skip
    figure.update_layout(
        template="none", height=HEIGHT, autosize=True, showlegend=False, hovermode="closest", dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 55, "r": 15, "t": 10, "b": 45}, xaxis=_axis(chart.x), yaxis=_axis(chart.y),
    )  # fmt: skip
    return figure


def _axis(axis: Axis) -> dict[str, object]:
    return {
        "title": axis.title, "type": "log", "gridcolor": GRID, "linecolor": GREY, "zeroline": False, "automargin": True,
        "tickvals": [place for place, _ in axis.ticks], "ticktext": [text for _, text in axis.ticks],
        "range": [*map(log10, axis.limits)],
    }  # fmt: skip


def _add_series(figure: go.Figure, series: Series, limit: float) -> None:
    """The line of a method; points beyond the limit of the axis become arrows at its edge."""
    look = series.look
    bars: dict[str, object] = {"color": look.colour, "thickness": 1.2, "width": 4}
    _add(
        figure, series.name, series.points, mode="lines+markers", opacity=1.0 if look.focus else CONTEXT,
        error_y=bars | {"array": series.above, "arrayminus": series.below} if series.above and look.focus else None,
        error_x=bars | {"array": series.beside} if series.beside and look.focus else None,
        line={"color": look.colour, "width": 2 if look.focus else 1, "dash": look.dash},
        marker={"symbol": look.symbol, "size": 8 if look.focus else 5},
    )  # fmt: skip
    beyond = series.points.beyond(limit)
    if beyond.x:
        marker = {"symbol": "arrow-up", "size": 11, "color": look.colour}
        _add(figure, series.name, beyond, mode="markers", marker=marker, opacity=1.0 if look.focus else CONTEXT)


def _add_levels(figure: go.Figure, chart: Chart) -> None:
    x = [value for series in chart.series for value in series.points.x]
    for level in chart.levels:
        line = Points([min(x), max(x)], [level.value] * 2, [[level.text]] * 2)
        style = {"color": GREY, "dash": level.dash, "width": 1.5}
        _add(figure, level.name, line, mode="lines", line=style, visible=level.drawn)


def _add(figure: go.Figure, name: str, points: Points, **style: Mapping | str | float | None) -> None:
    hover = [f"<b>{escape(first)}</b>" + "".join(f"<br>{escape(text)}" for text in rest)
             for first, *rest in points.hover]  # fmt: skip
    figure.add_scatter(
        x=points.x, y=points.y, name=name, hovertext=hover or None, hoverinfo="text" if hover else "skip", **style
    )
