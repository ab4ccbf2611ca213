"""The interactive charts of report.html: quality against evaluations and against time, as plotly figures."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from html import escape

import pandas as pd
import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from samplerbench.report.monotone import better_at
from samplerbench.report.published import comparable
from samplerbench.report.ranking import pareto
from samplerbench.report.table import ERROR, fitted_orders, number, order, seconds_per_image, with_interval
from samplerbench.report.ticks import ticks
from samplerbench.store.results import Results

# Readable on white and on black; the symbol changes once the colours are used up.
COLOURS = "#3b82d6 #e07b27 #2f9e5f #d64545 #8e62d0 #a8743f #d658a8 #1fa3b5 #96940f #7d8590".split()
SYMBOLS = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "triangle-up": "▲",
    "star": "★",
    "triangle-down": "▼",
    "x": "✖",
}
GREY = "#888888"
GRID = "rgba(128, 128, 128, 0.25)"
HEIGHT = 430  # pixels
FEW = 8  # numbers of evaluations that can all be ticks
FRONT, FLOOR, CEILING, PUBLISHED, WORSE = "Pareto front", "floor", "ceiling", "published", "worse"
RED = "#e5383b"
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}


@dataclass(frozen=True)
class Entry:
    """A line of the legend: it shows and hides the traces of its name in all charts."""

    name: str
    text: str
    sign: str
    colour: str
    shown: bool = True
    method: bool = False


@dataclass(frozen=True)
class Axis:
    """What a chart shows along x: values and half-widths by row, the title, and how hovering tells it."""

    values: pd.Series
    spread: pd.Series | None
    title: str
    unit: str


@cache
def library() -> str:
    """plotly.js, without the addresses from which it would fetch maps: nothing here may ask for anything."""
    return re.sub(r"https?://[\w.-]*cdn[\w./-]*", "about:blank#", get_plotlyjs())


def charts(group: Results, mark: str = "") -> Iterator[tuple[str, str]]:
    """Titles and HTML of the charts of one protocol; none if it has no FID. They need `library()` on the page.

    mark: what tells the ids of these charts from those of another protocol.
    """
    for index, (title, figure) in enumerate(figures(group)):
        name = f"chart{mark}-{index}"
        yield title, to_html(figure, full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)


def figures(group: Results) -> Iterator[tuple[str, go.Figure]]:
    """The charts of one protocol, with their titles."""
    rows, looks = group.scored, _looks(group)
    if len(rows):
        figure = _figure(rows, _counted(rows), group.fid, looks)
        _add_rings(figure, rows[better_at(rows).notna()])
        _add_published(figure, comparable(group))
        yield f"{group.fid} against evaluations", figure
    if len(group.solved):
        yield f"{ERROR} against evaluations", _errors(group.solved, looks)
    for machine, timed in group.timed.groupby("machine", sort=False):
        spread = 1e3 * timed["latency_iqr_s"] / timed["batch_size"].astype("float64") / 2
        clocked = Axis(1e3 * seconds_per_image(timed), spread, "milliseconds per image", "ms")
        yield f"{group.fid} against time on {machine}", _figure(timed, clocked, group.fid, looks)


def _counted(rows: pd.DataFrame) -> Axis:
    return Axis(rows["nfe"], None, "network evaluations per image (NFE)", "NFE")


def legend(group: Results) -> list[Entry]:
    """The entries for the charts of one protocol."""
    rows, orders = group.scored, fitted_orders(group.solved)
    entries = [
        Entry(name, name + orders.get(name, ""), SYMBOLS[symbol], colour, method=True)
        for name, (colour, symbol) in _looks(group).items()
    ]
    if len(rows):
        entries.append(Entry(FRONT, FRONT, "▬", "#d9a400"))
    if better_at(rows).notna().any():
        entries.append(Entry(WORSE, "worse than with fewer evaluations", "◯", RED))
    for value in rows["fid_floor"].dropna().head(1):
        entries.append(Entry(FLOOR, f"real images (floor): {number(value)}", "╌", GREY))
    for value in rows["fid_ceiling"].dropna().head(1):
        entries.append(Entry(CEILING, f"noise (ceiling): {number(value)}", "┄", GREY, shown=False))
    if len(comparable(group)):
        entries.append(Entry(PUBLISHED, "published: other networks, other protocols", "◇", GREY))
    return entries


def _looks(group: Results) -> dict[str, tuple[str, str]]:
    looks = [(colour, symbol) for symbol in SYMBOLS for colour in COLOURS]
    names = dict.fromkeys([*group.scored["name"], *group.solved["name"]])
    return {name: looks[index % len(looks)] for index, name in enumerate(names)}


def _figure(rows: pd.DataFrame, axis: Axis, fid: str, looks: dict[str, tuple[str, str]]) -> go.Figure:
    figure = go.Figure()
    _add_front(figure, axis.values, rows["fid"])
    _add_methods(figure, rows, axis, "fid", looks)
    _add_levels(figure, rows, axis)
    return _laid_out(figure, axis, fid, rows["fid"])


def _errors(rows: pd.DataFrame, looks: dict[str, tuple[str, str]]) -> go.Figure:
    figure, axis = go.Figure(), _counted(rows)
    _add_methods(figure, rows, axis, "trajectory_rmse", looks)
    figure = _laid_out(figure, axis, ERROR, rows["trajectory_rmse"])
    return figure.update_yaxes(tickvals=None, ticktext=None, tickmode="auto", exponentformat="power", dtick=1)


def _laid_out(figure: go.Figure, axis: Axis, title: str, values: pd.Series) -> go.Figure:
    figure.update_layout(
        template="none", height=HEIGHT, autosize=True, showlegend=False, hovermode="closest", dragmode=False,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 55, "r": 15, "t": 10, "b": 45},
    )  # fmt: skip
    look = {"type": "log", "gridcolor": GRID, "linecolor": GREY, "zeroline": False, "automargin": True}
    figure.update_xaxes(title=axis.title, **look, **_ticks(axis.values, few=0 if axis.spread is not None else FEW))
    figure.update_yaxes(title=title, **look, **_ticks(values))
    return figure


def _ticks(values: Iterable[float], few: int = 0) -> dict[str, list]:
    places = ticks(values, few)
    return {"tickvals": places, "ticktext": [f"{place:g}" for place in places]}


def _add_methods(
    figure: go.Figure, rows: pd.DataFrame, axis: Axis, column: str, looks: dict[str, tuple[str, str]]
) -> None:
    for name, group in rows.groupby("name", sort=False):
        ordered = group.loc[axis.values[group.index].sort_values().index]
        _add_method(figure, name, ordered, axis, column, looks[name])


def _add_method(
    figure: go.Figure, name: str, rows: pd.DataFrame, axis: Axis, column: str, look: tuple[str, str]
) -> None:
    x, (colour, symbol) = axis.values[rows.index], look
    barred = column == "fid" and rows["fid_ci_high"].notna().any()
    bars = {"color": colour, "thickness": 1.2, "width": 4}
    fid_bars = {
        "array": (rows["fid_ci_high"] - rows["fid"]).fillna(0).tolist(),
        "arrayminus": (rows["fid"] - rows["fid_ci_low"]).fillna(0).tolist(),
    }
    x_bars = None if axis.spread is None else bars | {"array": axis.spread[rows.index].fillna(0).tolist()}
    figure.add_scatter(
        x=x.tolist(), y=rows[column].tolist(), name=name, mode="lines+markers",
        error_y=bars | fid_bars if barred else None, error_x=x_bars,
        line={"color": colour, "width": 1.5}, marker={"symbol": symbol, "size": 8},
        hovertext=[_hover(row, value, axis.unit) for value, (_, row) in zip(x, rows.iterrows(), strict=True)],
        hoverinfo="text",
    )  # fmt: skip


def _hover(row: pd.Series, x: float, unit: str) -> str:
    lines = [
        f"<b>{escape(row['name'])}</b>",
        "adaptive steps" if pd.isna(row["steps"]) else f"{row['steps']} steps",
        f"NFE {row['nfe']:g}",
    ]
    lines += [with_interval(row)] * pd.notna(row["fid"])
    lines += [f"{ERROR} {number(row['trajectory_rmse'], '{:.2g}')}"] * pd.notna(row["trajectory_rmse"])
    lines += [f"order {order(row)}"] * pd.notna(row["order"])
    return "<br>".join(lines + [f"{number(x)} {unit} per image"] * (unit != "NFE"))


def _add_rings(figure: go.Figure, worse: pd.DataFrame) -> None:
    """Around what is worse than the same method with fewer evaluations."""
    if len(worse):
        figure.add_scatter(
            x=worse["nfe"].tolist(), y=worse["fid"].tolist(), name=WORSE, mode="markers", hoverinfo="skip",
            marker={"symbol": "circle-open", "size": 18, "color": RED, "line": {"width": 2}},
        )  # fmt: skip


def _add_front(figure: go.Figure, cost: pd.Series, fid: pd.Series) -> None:
    chosen = pareto(cost, fid)
    points = sorted(zip(cost[chosen], fid[chosen], strict=True))
    line = {"color": "#d9a400", "width": 7, "shape": "hv"}
    x, y = (list(values) for values in zip(*points, strict=True))
    figure.add_scatter(x=x, y=y, name=FRONT, mode="lines", line=line, opacity=0.45, hoverinfo="skip")


def _add_levels(figure: go.Figure, rows: pd.DataFrame, axis: Axis) -> None:
    ends = [axis.values.min(), axis.values.max()]
    for name, column, dash, words in (
        (FLOOR, "fid_floor", "dash", "real images"),
        (CEILING, "fid_ceiling", "dot", "noise"),
    ):
        for value in rows[column].dropna().head(1):
            figure.add_scatter(
                x=ends, y=[value, value], name=name, mode="lines", line={"color": GREY, "dash": dash, "width": 1.5},
                hovertext=f"{words}: {number(value)}", hoverinfo="text", visible=name == FLOOR,
            )  # fmt: skip


def _add_published(figure: go.Figure, others: pd.DataFrame) -> None:
    if others.empty:
        return
    texts = [
        f"<b>{escape(row['method'])}</b> on {escape(row['model'])} {escape(row['grid'])}<br>NFE {row['nfe']:g}<br>"
        f"FID {row['fid']:g} (published)<br>{escape(row['source'])}"
        for _, row in others.iterrows()
    ]
    figure.update_xaxes(**_ticks([*figure.layout.xaxis.tickvals, *others["nfe"]]))
    figure.update_yaxes(**_ticks([*figure.layout.yaxis.tickvals, *others["fid"]]))
    figure.add_scatter(
        x=others["nfe"].tolist(), y=others["fid"].tolist(), name=PUBLISHED, mode="markers", hovertext=texts,
        hoverinfo="text", marker={"symbol": "diamond-open", "size": 7, "color": GREY},
    )  # fmt: skip
