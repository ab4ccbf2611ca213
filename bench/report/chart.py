"""The charts of a report as plain data, which one renderer draws for report.html and another as PNG files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from samplerbench.report.axes import FEW, Axis, cost_axis, end_of_axis, value_axis
from samplerbench.report.columns import fid_heading, fid_value, heading_of
from samplerbench.report.formats import number, step_count
from samplerbench.report.looks import GREY, SYMBOLS, Look
from samplerbench.report.published import comparable
from samplerbench.report.ranking import pareto, regressions_in_nfe
from samplerbench.report.table import seconds_per_image
from samplerbench.store.results import Results

GOLD, RED = "#d9a400", "#e5383b"
FRONT, WORSE, FLOOR, CEILING, PUBLISHED = "Pareto front", "worse", "floor", "ceiling", "published"
EDGE = 1.03  # factor from a point on the edge to the end of the axis
NFE = "network evaluations per image (NFE)"
MOST = 60  # methods of a chart: of more, none can be told from the others, and a browser takes minutes
ORDER = ("order", "order_declared")
HOVERED = ("name", "steps", "nfe", "fid", "fid_ci_low", "fid_ci_high", "scores_per_seed", "trajectory_rmse", *ORDER)


@dataclass(frozen=True)
class Points:
    """Points of a chart. hover: lines of text for each of them, the first one its name."""

    x: list[float] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    hover: list[list[str]] = field(default_factory=list)

    def beyond(self, limit: float) -> "Points":
        """The points above the end of an axis, put on its edge."""
        outside = [index for index, value in enumerate(self.y) if value > limit]
        hover = [self.hover[index] for index in outside] if self.hover else []
        return Points([self.x[index] for index in outside], [limit / EDGE] * len(outside), hover)


@dataclass(frozen=True)
class Series:
    """The line of a method. note: what the legend adds to its name.

    below, above, beside: the lengths of the error bars in y, and in x; None without any.
    """

    name: str
    look: Look
    points: Points
    note: str = ""
    below: list[float] | None = None
    above: list[float] | None = None
    beside: list[float] | None = None


@dataclass(frozen=True)
class Level:
    """A horizontal line. drawn: whether it is near enough to the points to be shown at first."""

    name: str
    text: str
    value: float
    dash: str
    drawn: bool


@dataclass(frozen=True)
class Chart:
    """One chart. stem: of its file. front: the corners of the Pareto front. worse: the points to ring."""

    title: str
    stem: str
    x: Axis
    y: Axis
    series: list[Series]
    front: Points = field(default_factory=Points)
    worse: Points = field(default_factory=Points)
    levels: list[Level] = field(default_factory=list)
    published: Points = field(default_factory=Points)


@dataclass(frozen=True)
class Entry:
    """A line of a legend, for everything called `name` in the charts.

    method: whether it stands for a method. focus: whether it stands out.
    """

    name: str
    text: str
    sign: str
    colour: str
    shown: bool = True
    method: bool = False
    focus: bool = True


@dataclass(frozen=True)
class _Cost:
    """The x coordinate of every row: its NFE, or its milliseconds per image with half their interquartile range."""

    values: pd.Series
    spread: pd.Series | None = None


def charts(group: Results, looks: Mapping[str, Look]) -> list[Chart]:
    """The charts of one protocol: FID against NFE, trajectory error against NFE, FID against time on each machine."""
    machines = enumerate(group.timed.groupby("machine", sort=False))
    return [
        *([_quality(group, looks)] if group.scored["nfe"].notna().any() else []),
        *([_error(group, looks)] if len(group.solved) else []),
        *(_latency(group, looks, machine, rows, index) for index, (machine, rows) in machines),
    ]


def legend(charts: Iterable[Chart]) -> list[Entry]:
    """The legend of several charts: methods first, and one entry for what several charts show."""
    entries: dict[str, Entry] = {}
    for entry in (entry for chart in charts for entry in _entries(chart)):
        if len(entry.text) >= len(entries.get(entry.name, entry).text):  # with its note, if any chart has one
            entries[entry.name] = entry
    return sorted(entries.values(), key=lambda entry: (not entry.focus, not entry.method))


def _entries(chart: Chart) -> Iterator[Entry]:
    for line in chart.series:
        yield Entry(line.name, line.name + line.note, SYMBOLS[line.look.symbol], line.look.colour, method=True,
                    focus=line.look.focus)  # fmt: skip
    if chart.front.x:
        yield Entry(FRONT, FRONT, "▬", GOLD)
    if chart.worse.x:
        yield Entry(WORSE, "worse than with fewer evaluations", "◯", RED)
    for level in chart.levels:
        yield Entry(level.name, level.text, "╌" if level.dash == "dash" else "┄", GREY, shown=level.drawn)
    if chart.published.x:
        yield Entry(PUBLISHED, "published: other networks, other protocols", "◇", GREY)


def _quality(group: Results, looks: Mapping[str, Look]) -> Chart:
    rows, fid, others = group.scored, fid_heading(group), comparable(group)
    without, rows = rows[rows["nfe"].isna()], rows[rows["nfe"].notna()]
    worse = rows[regressions_in_nfe(rows).notna() & rows["name"].isin(_drawn(rows, looks))]
    return Chart(
        _title(f"{fid} against evaluations", rows),
        "quality",
        cost_axis(NFE, [*rows["nfe"], *others["nfe"]], FEW),
        value_axis(fid, rows, rows["fid"], [*others["fid"], *_floor(rows)]),
        _fid_lines(group, rows, _Cost(rows["nfe"]), looks),
        front=_front(rows["nfe"], rows["fid"]),
        worse=Points(worse["nfe"].tolist(), worse["fid"].tolist()),
        levels=[*_levels(rows), *_given(without)],
        published=Points(others["nfe"].tolist(), others["fid"].tolist(), [*map(_source, others.to_dict("records"))]),
    )


def _error(group: Results, looks: Mapping[str, Look]) -> Chart:
    rows, error = group.solved, heading_of("trajectory_rmse", group)
    return Chart(
        _title(f"{error} against evaluations", rows),
        "error",
        cost_axis(NFE, rows["nfe"], FEW),
        value_axis(error, rows, rows["trajectory_rmse"]),
        [
            Series(name, looks[name], _points(each, "trajectory_rmse", _Cost(each["nfe"]), error), _fitted_order(each))
            for name, each in _methods(rows, rows["nfe"], looks)
        ],
    )


def _latency(group: Results, looks: Mapping[str, Look], machine: str, rows: pd.DataFrame, index: int) -> Chart:
    fid, size = fid_heading(group), rows["batch_size"].astype("float64")
    cost = _Cost(1e3 * seconds_per_image(rows), 1e3 * rows["latency_iqr_s"] / size / 2)
    return Chart(
        _title(f"{fid} against time on {machine}", rows),
        "latency" + f"-{index + 1}" * (index > 0),
        cost_axis("milliseconds per image", cost.values),
        value_axis(fid, rows, rows["fid"], _floor(rows)),
        _fid_lines(group, rows, cost, looks),
        front=_front(cost.values, rows["fid"]),
        levels=_levels(rows),
    )


def _fid_lines(group: Results, rows: pd.DataFrame, cost: _Cost, looks: Mapping[str, Look]) -> list[Series]:
    """The FID of every method with its interval, against a cost."""
    error, found = heading_of("trajectory_rmse", group), []
    for name, each in _methods(rows, cost.values, looks):
        bars = {}
        if each["fid_ci_high"].notna().any():
            bars["below"] = (each["fid"] - each["fid_ci_low"]).fillna(0).tolist()
            bars["above"] = (each["fid_ci_high"] - each["fid"]).fillna(0).tolist()
        if cost.spread is not None:
            bars["beside"] = cost.spread[each.index].fillna(0).tolist()
        found.append(Series(name, looks[name], _points(each, "fid", cost, error), **bars))
    return found


def _title(text: str, rows: pd.DataFrame) -> str:
    methods = rows["name"].nunique()
    return f"{text} ({MOST} of {methods} methods)" if methods > MOST else text


def _drawn(rows: pd.DataFrame, looks: Mapping[str, Look]) -> list[str]:
    """The methods that are drawn: those in focus, which come first in `looks`, and others while there is room."""
    present = set(rows["name"])
    return [name for name in looks if name in present][:MOST]


def _methods(rows: pd.DataFrame, cost: pd.Series, looks: Mapping[str, Look]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of every method that is drawn, by name, the cheapest first."""
    for name, each in rows[rows["name"].isin(_drawn(rows, looks))].groupby("name", sort=False):
        yield str(name), each.loc[cost[each.index].sort_values().index]


def _points(rows: pd.DataFrame, column: str, cost: _Cost, error: str) -> Points:
    x = cost.values[rows.index].tolist()
    shown = rows[[name for name in HOVERED if name in rows]]  # of all columns, to_dict takes ten times as long
    texts = [_hover(row, error) for row in shown.to_dict("records")]
    if cost.spread is not None:
        texts = [[*lines, f"{number(value)} ms per image"] for lines, value in zip(texts, x, strict=True)]
    return Points(x, rows[column].tolist(), texts)


def _hover(row: Mapping, error: str) -> list[str]:
    """What hovering says of a row. error: the heading of its error."""
    rmse, order = number(row.get("trajectory_rmse", float("nan")), "{:.2g}"), _order(row)
    found = [row["name"], step_count(row["steps"]), f"NFE {row['nfe']:g}", fid_value(row)]
    return [text for text in [*found, rmse and f"{error} {rmse}", order and f"order {order}"] if text]


def _order(row: Mapping) -> str:
    """`2.98 (of 3)`: the fitted order of convergence, and the declared one; "" if none was fitted."""
    order = number(row.get("order", float("nan")), "{:.2f}")
    return order and order + number(row.get("order_declared", float("nan")), " (of {:g})")


def _fitted_order(rows: pd.DataFrame) -> str:
    orders = rows[[name for name in ORDER if name in rows]].to_dict("records")
    return next((f", order {text}" for text in map(_order, orders) if text), "")


def _source(row: Mapping) -> list[str]:
    """What hovering says of a published result."""
    where = f"on {row['model']} {row['grid']}".rstrip()
    return [row["method"], where, f"NFE {row['nfe']:g}", f"FID {row['fid']:g} (published)", row["source"]]


def _front(cost: pd.Series, fid: pd.Series) -> Points:
    chosen = pareto(cost, fid)
    x, y = zip(*sorted(zip(cost[chosen], fid[chosen], strict=True)), strict=True)
    return Points([*x], [*y])


def _levels(rows: pd.DataFrame) -> list[Level]:
    """The scores of real images, and of noise."""
    ceilings, top = rows["fid_ceiling"].dropna().head(1), end_of_axis(rows, rows["fid"])
    return [
        *(Level(FLOOR, f"real images (floor): {number(value)}", value, "dash", True) for value in _floor(rows)),
        *(Level(CEILING, f"noise (ceiling): {number(value)}", value, "dot", bool(value < top)) for value in ceilings),
    ]


def _given(rows: pd.DataFrame) -> list[Level]:
    """Images that were made elsewhere, in an unknown number of evaluations."""
    return [
        Level(row["name"], f"{row['name']}: {number(row['fid'])}", row["fid"], "dash", True)
        for row in rows.to_dict("records")
    ]


def _floor(rows: pd.DataFrame) -> list[float]:
    return rows["fid_floor"].dropna().head(1).tolist()
