"""Where a logarithmic axis has its ticks, written out: plotting libraries shorten or crowd them."""

from collections.abc import Iterable
from math import ceil, floor, inf, log10

CROWDED = 1.15  # the ratio below which two labels would overlap


def ticks(values: Iterable[float], few: int) -> list[float]:
    """Round numbers over a range of positive values and a decade beyond, or the values themselves if they are few."""
    distinct = sorted(set(values))
    if len(distinct) < few:
        return [a for a, b in zip(distinct, [*distinct[1:], inf], strict=True) if b > CROWDED * a]
    low, high = distinct[0], distinct[-1]
    decades = log10(high / low)
    steps = range(1, 10) if decades < 1 else (1, 2, 5) if decades < 2.5 else (1,)
    return [step * 10.0**power for power in range(floor(log10(low)) - 1, ceil(log10(high)) + 2) for step in steps]
