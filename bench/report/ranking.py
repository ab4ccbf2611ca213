"""Who is best at which budget, and how certain that is: ranks, ties, Pareto fronts, and metrics that rise with NFE.

Rows are compared by their paired differences over seed blocks, which share their noise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from samplerbench.statistics import CONFIDENCE, paired_differences
from samplerbench.store.columns import blocks
from samplerbench.store.labels import recipes

NEARLY = 0.9  # NFEs within 10 % are one budget: Heun spends 2N - 1 where others spend 2N
# What identifies a method beside its number of steps, its grid and its recipe.
SAME_METHOD = "method options guidance dtype compiled cuda_graph run".split()
APART = 2.0  # standard deviations of a FID: a smaller difference names no winner in one seed block
SAME_ERROR = 0.05  # relative difference of errors on exact data that names no winner in one seed block
CLEARLY = 4.0  # standard deviations of a FID; without seed blocks, only a larger rise counts


@dataclass(frozen=True, eq=False)
class Rank:
    """A row and the ranks it may have, from `low` to `high`; `tied` unless the best row is significantly better."""

    row: pd.Series
    low: int
    high: int
    tied: bool

    def __str__(self) -> str:
        """`2`, or `1–3`."""
        return f"{self.low}" if self.low == self.high else f"{self.low}–{self.high}"


@dataclass(frozen=True)
class Budget:
    """The best row of every name for at most `nfe` evaluations, the best of all first."""

    nfe: float
    ranks: list[Rank]


def ranked(rows: pd.DataFrame, metric: str = "fid") -> list[Rank]:
    """The rows ranked among each other by a metric of which less is better, best first."""
    ordered = rows.sort_values(metric, kind="stable")
    beats = _beats(_blocks(ordered, metric))
    ahead, behind = beats.sum(axis=0), beats.sum(axis=1)
    return [
        Rank(row, int(1 + ahead[i]), int(len(beats) - behind[i]), tied=not beats[0, i])
        for i, (_, row) in enumerate(ordered.iterrows())
    ]


def decidable(ranks: list[Rank], metric: str = "fid") -> bool:
    """Whether at least two rows have several seed blocks, without which a tie cannot be told from a difference."""
    several = (rank for rank in ranks if len(blocks(rank.row, metric)) > 1)
    return len([*islice(several, 2)]) == 2


def leaders(ranks: list[Rank], metric: str = "fid") -> list[Rank]:
    """The best row, and those that are not known to be worse.

    Seed blocks decide by their paired differences. One block alone separates FIDs that are two standard deviations of a
    FID apart, and errors on exact data, which hardly vary from block to block, that are 5 % apart.
    """
    if decidable(ranks, metric):
        return [rank for rank in ranks if rank.tied]
    best = ranks[0].row
    reach = APART * _fid_deviation(best) if metric == "fid" else SAME_ERROR * best[metric]
    return [rank for rank in ranks if not rank.row[metric] - best[metric] > reach]


def budgets(rows: pd.DataFrame, metric: str = "fid") -> list[Budget]:
    """The budgets worth a verdict, for rows of one protocol with this metric and a `name`.

    A budget is an NFE that rows of at least two names spend, to within 10 %; if there is none, any NFE that leaves two
    names to compare.
    """
    found = [Budget(nfe, affordable(rows, nfe, metric)) for nfe in (group["nfe"].max() for group in contested(rows))]
    return [budget for budget in found if len(budget.ranks) > 1]


def contested(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The NFE groups in which several names compete; all groups if there is none."""
    groups = nfe_groups(rows)
    return [group for group in groups if group["name"].nunique() > 1] or groups


def affordable(rows: pd.DataFrame, nfe: float, metric: str = "fid") -> list[Rank]:
    """The best row of every name for at most this many evaluations, ranked."""
    within = rows[rows["nfe"] <= nfe]
    return ranked(within.sort_values(metric, kind="stable").drop_duplicates("name"), metric)


def nfe_groups(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows grouped by NFE, to within 10 %, the cheapest first."""
    levels: list[float] = []
    for nfe in sorted(set(rows["nfe"].dropna()), reverse=True):
        if not levels or nfe < NEARLY * levels[-1]:
            levels.append(nfe)
    return [rows[(rows["nfe"] <= level) & (rows["nfe"] >= NEARLY * level)] for level in reversed(levels)]


def rank_texts(rows: pd.DataFrame) -> pd.Series:
    """The range of ranks of every row within its NFE group, as text; "" without seed blocks to decide it."""
    found = pd.Series("", index=rows.index)
    for ranks in map(ranked, nfe_groups(rows)):
        if decidable(ranks):
            for rank in ranks:
                found[rank.row.name] = str(rank)
    return found


def pareto(cost: Iterable[float], value: Iterable[float], error: Iterable[float] | float = 0.0) -> np.ndarray:
    """Which points are Pareto optimal (lower is better): no other is as good in both and better in one.

    error: of the costs. A point that is better in value only has to be as cheap to within the errors of both.
    """
    x, y = np.asarray(cost, dtype=np.float64), np.asarray(value, dtype=np.float64)
    spread = np.broadcast_to(np.asarray(error, dtype=np.float64), x.shape)
    found = ~np.isnan(x) & ~np.isnan(y)
    for i in np.flatnonzero(found):  # not all pairs at once, which for ten thousand points are gigabytes
        reach = np.hypot(spread, spread[i])
        cheaper = (y <= y[i]) & (x < x[i] - reach)
        better = (y < y[i]) & (x <= x[i] + reach)
        found[i] = not (cheaper | better).any()
    return found


def regressions_in_nfe(rows: pd.DataFrame) -> pd.Series:
    """For rows of one protocol with a FID: the lower NFE at which the same method is significantly better; else NaN.

    Seed blocks decide by their paired differences, at 95 % for each row, shared among its comparisons. With a single
    block, the FID must be higher by four standard deviations. Of several better rows, the best counts.
    """
    found = pd.Series(np.nan, index=rows.index, dtype="float64")
    of_row = dict(zip(rows.index, _blocks(rows, "fid"), strict=True))
    for curve in _nfe_curves(rows):
        values, deviations = [of_row[index] for index in curve.index], _fid_deviation(curve).to_numpy()
        nfe, fid = curve["nfe"].to_numpy(), curve["fid"].to_numpy()
        for place, index in enumerate(curve.index):
            cheaper = np.flatnonzero(nfe < nfe[place])
            better = fid[place] - fid[cheaper] > CLEARLY * deviations[place]
            paired = [len(values[each]) == len(values[place]) > 1 for each in cheaper]
            if any(paired):
                others = np.stack([values[each] for each in cheaper[paired]])
                mean, half = paired_differences(values[place], others, 1 - (1 - CONFIDENCE) / len(cheaper))
                better[paired] = -mean > half
            if better.any():
                best = cheaper[better]
                found[index] = nfe[best[fid[best].argmin()]]
    return found


def _blocks(rows: pd.DataFrame, metric: str) -> list[np.ndarray]:
    """The values of each row, one for each seed block."""
    return [blocks(row, metric) for row in rows[["scores_per_seed", metric]].to_dict("records")]


def _beats(values: list[np.ndarray]) -> np.ndarray:
    """(N, N): whether the blocks of row i are significantly lower than those of row j, where both have as many."""
    beats = np.zeros((len(values), len(values)), dtype=bool)
    counts = np.array([len(each) for each in values])
    for count in {*counts.tolist()} - {1}:
        alike = np.flatnonzero(counts == count)
        stacked = np.stack([values[place] for place in alike])
        for place in alike:
            mean, half = paired_differences(values[place], stacked)
            beats[place, alike] = mean > half
    return beats


def _nfe_curves(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows of each method, at any NFE. Its default grid is one policy, though it may vary with the steps."""
    policy = rows["grid"].mask(rows["own_grid"] == "true", "")
    kinds = rows.assign(policy=policy).groupby([*SAME_METHOD, "policy"], sort=False).ngroup()
    trained = recipes(rows[["recipe", "steps"]].to_dict("records"), kinds.tolist())
    for _, curve in rows.groupby([kinds, trained], sort=False):
        yield curve


def _fid_deviation(rows):
    """The estimated standard deviation of the FID of a row, or of each of several, over draws of noise; NaN for none.

    It is that of the floor, scaled by the root of FID / floor. On the digits (flow and ddim, 1 to 128 steps, 250 and
    1000 samples) the standard deviation over seed blocks was 0.45 to 1.1 times this, and that of differences on the
    same noise far lower.
    """
    return rows.get("fid_floor_sd", np.nan) * np.maximum(1.0, rows["fid"] / rows["fid_floor"]) ** 0.5
