"""Where the time of a command went, as a line."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

SHOWN = 0.01  # the smallest share of the time that is named
WIDTH = 80  # columns


def time_line(sessions: Iterable[Mapping[str, float]]) -> str:
    """The total and the shares of the largest parts that fit into a line, from the seconds by part of each session."""
    seconds: Counter[str] = Counter()
    for session in sessions:
        seconds.update(session)
    total = sum(seconds.values())
    shares = [(part, value / total) for part, value in seconds.most_common() if value >= SHOWN * total]
    start = f"Time: {total:.{0 if total >= 10 else 1}f} s: "
    while len(line := start + _listed(shares)) > WIDTH:
        shares.pop()
    return line


def _listed(shares: Sequence[tuple[str, float]]) -> str:
    """Shares as text, with that of all other parts."""
    rest = 1 - sum(share for _, share in shares)
    named = [*shares, ("the rest", rest)] if rest >= SHOWN / 2 else shares
    return ", ".join(f"{part} {share:.0%}" for part, share in named).replace("%", " %")
