"""Who is best at which budget, and how sure that is: paired differences over seed blocks, ranks, Pareto fronts."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from samplerbench.store.run_directory import blocks

CONFIDENCE = 0.95  # of the two-sided intervals
NEARLY = 0.9  # numbers of evaluations within 10 % are one budget: Heun spends 2N - 1 where others spend 2N


@dataclass(frozen=True)
class Standing:
    """A row among its rivals: it may have any rank from `low` to `high`; `tied` if the best is not surely better."""

    row: pd.Series
    low: int
    high: int
    tied: bool

    @property
    def rank(self) -> str:
        """`2`, or `1–3`."""
        return f"{self.low}" if self.low == self.high else f"{self.low}–{self.high}"


@dataclass(frozen=True)
class Budget:
    """What can be had for at most `nfe` evaluations: the best row of every name, the best of all first."""

    nfe: float
    standings: list[Standing]


def difference(ours: np.ndarray, theirs: np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """How much more `theirs` is on the same noise, block by block, and the half-width of its t-interval.

    The half-width is infinite where no spread can be told: a single block, or blocks that do not pair.
    """
    if len(ours) != len(theirs) or len(ours) < 2:
        return float(theirs.mean() - ours.mean()), float("inf")
    more = theirs - ours
    return float(more.mean()), half_width(more, confidence)


def half_width(values: np.ndarray, confidence: float = CONFIDENCE) -> float:
    """Half the t-interval of the mean, of 95 % unless told otherwise; NaN for a single value."""
    if len(values) < 2:
        return float("nan")
    reach = stdtrit(len(values) - 1, (1 + confidence) / 2)
    return float(reach * values.std(ddof=1) / len(values) ** 0.5)


def better(ours: np.ndarray, theirs: np.ndarray, confidence: float = CONFIDENCE) -> bool:
    """Whether `ours` is significantly less."""
    mean, half = difference(ours, theirs, confidence)
    return mean > half


def standings(rows: pd.DataFrame) -> list[Standing]:
    """The rows ranked among each other by FID, best first."""
    ordered = rows.sort_values("fid", kind="stable")
    values = [blocks(row) for _, row in ordered.iterrows()]
    beats = np.array([[better(a, b) for b in values] for a in values]).reshape(len(values), len(values))
    ahead, behind = beats.sum(axis=0), beats.sum(axis=1)
    return [
        Standing(row, int(1 + ahead[i]), int(len(values) - behind[i]), tied=not beats[0, i])
        for i, (_, row) in enumerate(ordered.iterrows())
    ]


def decidable(found: list[Standing]) -> bool:
    """Whether there are seed blocks enough to tell a tie from a difference."""
    return sum(len(blocks(standing.row)) > 1 for standing in found) > 1


def budgets(rows: pd.DataFrame) -> list[Budget]:
    """The budgets worth a verdict, for rows of one protocol that have a FID and a `name`.

    A budget is a number of evaluations that rows of at least two names spend, to within 10 %; where there is none,
    any that leaves two names to compare.
    """
    bunched = bunches(rows)
    shared = [bunch for bunch in bunched if bunch["name"].nunique() > 1]
    found = []
    for nfe in (bunch["nfe"].max() for bunch in shared or bunched):
        affordable = rows[rows["nfe"] <= nfe].sort_values("fid", kind="stable").drop_duplicates("name")
        found.append(Budget(nfe, standings(affordable)))
    return [budget for budget in found if len(budget.standings) > 1]


def bunches(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows taken apart by their number of evaluations, nearly equal ones together, the cheapest first."""
    levels: list[float] = []
    for nfe in sorted(set(rows["nfe"].dropna()), reverse=True):
        if not levels or nfe < NEARLY * levels[-1]:
            levels.append(nfe)
    return [rows[(rows["nfe"] <= level) & (rows["nfe"] >= NEARLY * level)] for level in reversed(levels)]


def ranks(rows: pd.DataFrame) -> pd.Series:
    """Every row's range of ranks among those that spend as much, as text; "" where none can be told."""
    found = pd.Series("", index=rows.index)
    for placed in map(standings, bunches(rows)):
        if decidable(placed):
            for standing in placed:
                found[standing.row.name] = standing.rank
    return found


def pareto(cost: Iterable[float], value: Iterable[float]) -> np.ndarray:
    """Which points are on the front (less is better of both): no other is as good in both and better in one."""
    x, y = np.asarray(cost, dtype=np.float64), np.asarray(value, dtype=np.float64)
    no_worse = (x[None] <= x[:, None]) & (y[None] <= y[:, None])
    dominated = (no_worse & ((x[None] < x[:, None]) | (y[None] < y[:, None]))).any(axis=1)
    return ~dominated & ~np.isnan(x) & ~np.isnan(y)
