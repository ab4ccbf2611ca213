"""The axes of charts: logarithmic, with round ticks, and not stretched by what is far from anything good."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from samplerbench.report.ranking import contested
from samplerbench.report.ticks import tick_text, ticks

MARGIN = 1.15  # factor from the outermost point to the end of an axis
FAR = 12  # times the best of the worst budget: what lies farther up would squeeze everything else
FEW = 8  # distinct values of a cost that can all be ticks


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis. ticks: positions and their text. limits: its ends."""

    title: str
    ticks: list[tuple[float, str]]
    limits: tuple[float, float]


def cost_axis(title: str, values: Iterable[float], few: int = 0) -> Axis:
    """An axis that holds all values."""
    positive = [value for value in values if value > 0] or [1.0]
    return _ticked(title, positive, (min(positive) / MARGIN, max(positive) * MARGIN), few)


def value_axis(title: str, rows: pd.DataFrame, values: pd.Series, others: Iterable[float] = ()) -> Axis:
    """An axis for what is worth comparing: values far above the best of every budget lie beyond it."""
    low = min([value for value in (*values, *others) if value > 0] or [1.0])
    high = max(end_of_axis(rows, values), MARGIN * low)
    return _ticked(title, [low, high, *values], (low / MARGIN, high))


def end_of_axis(rows: pd.DataFrame, values: pd.Series) -> float:
    """The end of an axis: the highest value, unless that is far above the best of the worst contested budget."""
    best = [values[each.index].min() for each in contested(rows)]
    return min(MARGIN * values.max(), FAR * max([value for value in best if value > 0], default=1.0))


def _ticked(title: str, values: Iterable[float], limits: tuple[float, float], few: int = 0) -> Axis:
    inside = [value for value in values if limits[0] <= value <= limits[1]]
    places = [place for place in ticks(inside, few) if limits[0] <= place <= limits[1]]
    return Axis(title, [(place, tick_text(place)) for place in places], limits)
