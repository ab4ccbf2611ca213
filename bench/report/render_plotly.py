"""Charts as interactive HTML, by plotly."""

import re
from collections.abc import Mapping
from functools import cache
from html import escape

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from samplerbench.report.chart import FRONT, GOLD, GREY, PUBLISHED, RED, WORSE, Axis, Chart, Points, Series

GRID = "rgba(128, 128, 128, 0.25)"
HEIGHT = 430  # pixels
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}


@cache
def library() -> str:
    """plotly.js, without the addresses from which it would fetch maps: the page must work offline."""
    return re.sub(r"https?://[\w.-]*cdn[\w./-]*", "about:blank#", get_plotlyjs())


def html(chart: Chart, name: str) -> str:
    """A chart as HTML with the id `name`; it needs `library()` on the page."""
    return to_html(figure(chart), full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)


def figure(chart: Chart) -> go.Figure:
    """A chart as a plotly figure, without a legend: its traces bear the names of the legend's entries."""
    figure = go.Figure()
    if chart.front.x:
        line = {"color": GOLD, "width": 7, "shape": "hv"}
        _add(figure, FRONT, chart.front, mode="lines", line=line, opacity=0.45)
    for series in chart.series:
        _add_series(figure, series)
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
    }  # fmt: skip


def _add_series(figure: go.Figure, series: Series) -> None:
    look = series.look
    bars: dict[str, object] = {"color": look.colour, "thickness": 1.2, "width": 4}
    _add(
        figure, series.name, series.points, mode="lines+markers",
        error_y=bars | {"array": series.above, "arrayminus": series.below} if series.above else None,
        error_x=bars | {"array": series.beside} if series.beside else None,
        line={"color": look.colour, "width": 1.5, "dash": look.dash}, marker={"symbol": look.symbol, "size": 8},
    )  # fmt: skip


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
