"""Where the time of a command went, as a line."""

from collections import Counter
from collections.abc import Iterable, Mapping

SHOWN = 0.01  # the smallest share of the time that is named


def time_line(sessions: Iterable[Mapping[str, float]]) -> str:
    """The total and the share of each part, the largest first, from the seconds by part of each session."""
    seconds: Counter[str] = Counter()
    for session in sessions:
        seconds.update(session)
    total = sum(seconds.values())
    shares = {part: value / total for part, value in seconds.most_common()}
    named = {part: share for part, share in shares.items() if share >= SHOWN}
    rest = 1 - sum(named.values())
    texts = [f"{part} {share:.0%}" for part, share in named.items()]
    if rest >= SHOWN / 2:
        texts.append(f"the rest {rest:.0%}")
    return f"Time: {total:.{0 if total >= 10 else 1}f} s: {', '.join(texts)}".replace("%", " %")
