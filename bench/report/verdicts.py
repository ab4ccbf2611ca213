"""Who is best at each budget of evaluations, in words, as far as the measurement can tell."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby

from samplerbench.metrics.column import BLOCKS, Column
from samplerbench.report.columns import heading_of, value
from samplerbench.report.formats import number, spread
from samplerbench.report.ranking import Budget, Rank, budgets, decidable, leaders
from samplerbench.report.text import listed
from samplerbench.statistics import paired_difference
from samplerbench.store.columns import blocks
from samplerbench.store.results import Results

NAMED = 4  # rows that a verdict names before it counts the rest
ERROR = "trajectory_rmse"  # on exact data
ONE_BLOCK = "one seed block has no error bars: `--seeds 0-4` measures five"


def compared(group: Results) -> dict[str, str]:
    """The metrics that samplers are compared by, with their headings: FID, and on exact data their error before it."""
    exact = group.quality.get("extractor") == "pixels" and ERROR in group.rows
    return {metric: heading_of(metric, group) for metric in ([ERROR, "fid"] if exact else ["fid"])}


@lru_cache(maxsize=1)  # for the terminal and then for the report: not to be changed in place
def verdicts(group: Results) -> list[str]:
    """A sentence for each budget, for the rows of one protocol; budgets with the same verdict share one."""
    rows, undecided = group.scored, True
    found: list[str] = []
    for metric, label in compared(group).items():
        each = budgets(rows[rows[metric].notna()], metric)
        found += _sentences(each, metric, label)
        undecided &= not any(decidable(budget.ranks, metric) for budget in each)
    return [*found, ONE_BLOCK] if found and undecided else found


def _sentences(found: list[Budget], metric: str, label: str) -> Iterator[str]:
    """Budgets share a sentence if they have the same verdict, or if they have none and the same lowest value."""

    def verdict(budget: Budget) -> object:
        return _claim(budget.ranks, metric, label) if _named(budget, metric) else budget.ranks[0].row.name

    for _, same in groupby(found, key=verdict):
        *_, last = shared = list(same)
        best, named = last.ranks[0].row, _named(last, metric)
        cheaper = f", reached with {best['nfe']:g}" if named and best["nfe"] < last.nfe else ""
        at = f"{'best at' if named else 'at'} {listed([f'{budget.nfe:g}' for budget in shared])} NFE{cheaper}"
        yield f"{at}: {_claim(last.ranks, metric, label)}"


def _named(budget: Budget, metric: str) -> bool:
    """Whether the verdict names a winner, alone or among its ties."""
    return decidable(budget.ranks, metric) or len(leaders(budget.ranks, metric)) == 1


def _claim(ranks: list[Rank], metric: str, label: str) -> str:
    first = leaders(ranks, metric)
    behind = [rank for rank in ranks if rank not in first]
    best = f"`{first[0].row['name']}` ({label} {_value(first[0], metric)})"
    if not decidable(ranks, metric):
        if len(first) > 1:
            rest = _counted([f"`{rank.row['name']}` ({number(rank.row[metric])})" for rank in first[1:]])
            return f"one seed block does not separate {best}, {rest}"
        return f"{best}; next is `{behind[0].row['name']}` ({number(behind[0].row[metric])})"
    tied = ", tied with " + _counted([f"`{rank.row['name']}`" for rank in first[1:]]) if first[1:] else ""
    if not behind:
        return best + tied
    mean, half = paired_difference(blocks(first[0].row, metric), blocks(behind[0].row, metric))
    return f"{best}{tied}; next is `{behind[0].row['name']}`, {number(mean)}{spread(half)} worse"


def _value(rank: Rank, metric: str) -> str:
    return value(rank.row, Column(metric, spread=BLOCKS))


def _counted(names: list[str]) -> str:
    """The first names, and the number of the others."""
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + f" and {rest} more" * (rest > 0)
