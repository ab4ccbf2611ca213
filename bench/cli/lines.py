"""Lines of text for the terminal: rows in fixed columns, and durations in words."""

from collections.abc import Container, Iterator, Sequence

NONE = "-"


def aligned(rows: Sequence[Sequence[str]], numbers: Container[int]) -> list[str]:
    """The rows as lines of fixed columns, of which those at the places `numbers` are aligned on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_padded(row, widths, numbers)).rstrip() for row in rows]


def _padded(row: Sequence[str], widths: Sequence[int], numbers: Container[int]) -> Iterator[str]:
    for place, (text, width) in enumerate(zip(row, widths, strict=True)):
        yield text.rjust(width) if place in numbers else text.ljust(width)


def duration(seconds: float) -> str:
    """A time estimate in words, to two units."""
    if seconds < 1:
        return "about 0 s" if seconds == 0 else "less than a second"
    whole = round(seconds)
    units = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(place for place, (count, _) in enumerate(units) if count)
    return "about " + " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count)
