"""How methods are drawn, the same in every chart: in colour if they lead somewhere, in grey if they are context."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from samplerbench.report.ranking import contested, pareto
from samplerbench.store.results import Results

# Readable on white and on black. Ten colours and seven symbols pair up in seventy ways before one repeats.
COLOURS = "#3b82d6 #e07b27 #2f9e5f #d64545 #8e62d0 #a8743f #d658a8 #1fa3b5 #96940f #7d8590".split()
SYMBOLS = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "triangle-up": "▲",
    "star": "★",
    "triangle-down": "▼",
    "x": "✖",
}
GREY = "#888888"
DASHES = ["solid", "dash", "dot", "dashdot"]  # the next one whenever the colours are used up
MANY = 12  # methods, of which some are context
REFERENCES = ("ddpm", "ddim", "flow")  # methods in focus wherever they were measured


@dataclass(frozen=True)
class Look:
    """How a method is drawn in every chart. symbol: a key of `SYMBOLS`. dash: one of `DASHES`.

    focus: whether it stands out; the others are context.
    """

    colour: str
    symbol: str
    dash: str
    focus: bool = True


def looks(groups: Iterable[Results]) -> dict[str, Look]:
    """How every method is drawn, by the name of its rows: in colour if it leads somewhere, or if there are few."""
    groups = list(groups)
    names = dict.fromkeys(name for group in groups for rows in (group.scored, group.solved) for name in rows["name"])
    leading = set(names)
    if len(names) > MANY:
        leading = set(list(dict.fromkeys(name for group in groups for name in _leading(group)))[:MANY])
    ordered = sorted(names, key=lambda name: name not in leading)
    return {name: _look(index, name in leading) for index, name in enumerate(ordered)}


def _look(index: int, focus: bool) -> Look:
    symbol, dash = [*SYMBOLS][index % len(SYMBOLS)], DASHES[index // len(COLOURS) % len(DASHES)]
    return Look(COLOURS[index % len(COLOURS)], symbol, dash) if focus else Look(GREY, symbol, dash, focus=False)


def _leading(group: Results) -> Iterator[str]:
    """The methods on a front, the best at each contested NFE, and those that others are compared with."""
    rows = group.scored
    if len(rows):
        yield from rows["name"][pareto(rows["nfe"], rows["fid"])]
        yield from (each.loc[each["fid"].idxmin(), "name"] for each in contested(rows))
    if len(group.solved):
        yield from group.solved["name"][pareto(group.solved["nfe"], group.solved["trajectory_rmse"])]
    yield from (name for name in REFERENCES if name in set(rows["name"]))
