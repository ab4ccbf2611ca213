"""Ticks of logarithmic axes: plotting libraries shorten or crowd them."""

from collections.abc import Iterable
from math import ceil, floor, inf, log10

CROWDED = 1.15  # ratio below which two labels would overlap
PLAIN = range(-3, 5)  # decades that are written out: 0.001 to 50000
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def ticks(values: Iterable[float], few: int = 0) -> list[float]:
    """Round numbers from a decade below the values to one above, or the values themselves if fewer than `few`.

    Values of 0, such as the NFE of a method that never calls the network, have no place on the axis.
    """
    distinct = sorted({value for value in values if value > 0})
    if not distinct:
        return []
    if len(distinct) < few:
        return [a for a, b in zip(distinct, [*distinct[1:], inf], strict=True) if b > CROWDED * a]
    low, high = distinct[0], distinct[-1]
    decades = log10(high / low)
    steps = range(1, 10) if decades < 1 else (1, 2, 5) if decades < 2.5 else (1,)
    return [step * 10.0**power for power in range(floor(log10(low)) - 1, ceil(log10(high)) + 2) for step in steps]


def tick_text(value: float) -> str:
    """`0.02`, `500`, or `2·10⁻⁵` outside the decades that are short when written out."""
    power = floor(log10(value) + 1e-9)
    if power in PLAIN:
        return f"{value:g}"
    factor = f"{value / 10.0**power:.3g}"
    decade = "10" + str(power).translate(SUPERSCRIPT)
    return decade if factor == "1" else f"{factor}·{decade}"
