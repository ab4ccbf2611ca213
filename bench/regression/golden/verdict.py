"""Whether a figure was met, and for a miss, what could explain it and what cannot."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from samplerbench.regression.golden.figure import UNKNOWN, Figure

HEADINGS = "figure checkpoint method grid NFE samples metric published ours allowed verdict".split()
MET, NOT_RUN, FAILED, PENDING = "met", "not run", "failed", "to run"
NONE = "none"
# A suspect -> where run.json records it.
PROTOCOL = {"labels": "labels", "quantisation": "quantisation", "reference": "reference_images"}


@dataclass(frozen=True)
class Missing:
    """Something that a figure needs. source: where it comes from."""

    what: str
    source: str

    def __str__(self) -> str:
        return f"{self.what} (from {self.source})"


@dataclass(frozen=True)
class Outcome:
    """What came of a figure.

    ours: our value, or None. missing: what it needs that is not here. error: why its cell failed.
    row: its row of results.csv. quality: what run.json records of the protocol.
    """

    figure: Figure
    ours: float | None = None
    missing: Sequence[Missing] = ()
    error: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether our value lies in the allowed interval."""
        low, high = self.figure.allowed
        return self.ours is not None and low <= self.ours <= high

    @property
    def missed(self) -> bool:
        """Whether it was run, and not met."""
        return bool(self.error) or (self.ours is not None and not self.met)

    @property
    def verdict(self) -> str:
        """In two words."""
        if self.missing:
            return NOT_RUN
        if self.error:
            return FAILED
        if self.ours is None:
            return PENDING
        if self.met:
            return MET
        published, ours = self.figure.published, self.ours
        return f"missed by {ours / published - 1:+.1%}" if published else f"missed by {ours - published:+.2g}"


def table(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """The outcomes as text, a row each, under `HEADINGS`."""
    return pd.DataFrame([_line(outcome) for outcome in outcomes], columns=HEADINGS)


def _line(outcome: Outcome) -> list[str]:
    figure = outcome.figure
    low, high = figure.allowed
    return [
        figure.name, figure.checkpoint.name, figure.method, str(figure.options.get("grid", "default")),
        str(figure.nfe or "adaptive"), str(figure.samples), figure.column, f"{figure.published:.4g}",
        "" if outcome.ours is None else f"{outcome.ours:.4g}", f"{low:.4g} to {high:.4g}", outcome.verdict,
    ]  # fmt: skip


def lacking(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Each thing that is not here, with its source and the figures that need it, a line each."""
    needed: dict[Missing, list[str]] = {}
    for outcome in outcomes:
        for missing in outcome.missing:
            needed.setdefault(missing, []).append(outcome.figure.name)
    for missing, names in needed.items():
        yield f"missing: {missing}, for {', '.join(names)}"


def explained(outcome: Outcome) -> Iterator[str]:
    """What there is to say of a figure that was run and not met, a line each."""
    name = outcome.figure.name
    if outcome.error:
        yield f"{name}: failed: {outcome.error}"
    elif outcome.missed:
        yield f"{name}: {outcome.verdict}"
        for suspect, (innocent, why) in suspects(outcome).items():
            yield f"  {'ruled out' if innocent else 'not ruled out'}: {suspect} ({why})"


def suspects(outcome: Outcome) -> dict[str, tuple[bool, str]]:
    """The usual reasons for another FID: whether each is ruled out, and by what."""
    figure, row = outcome.figure, outcome.row
    if not row:
        return {}
    nfe, samples = int(row["nfe"]), int(row["samples"])
    found = {
        "evaluations and last step": (nfe == figure.nfe, f"{nfe} counted, {figure.nfe or 'adaptive'} published"),
        "grid": ("grid" in figure.options, str(row["grid"])),
        "number of images": (samples == figure.samples, f"{samples:,} here, {figure.samples:,} published"),
        "EMA": (figure.checkpoint.ema != UNKNOWN, f"weights {figure.checkpoint.ema}"),
    }
    for suspect, fact in PROTOCOL.items():
        found[suspect] = _compared(str(outcome.quality.get(fact, UNKNOWN)), figure.facts.get(suspect, ""))
    found["seeds"] = (False, "published figures are often the least of several draws, and this is one")
    return found


def _compared(ours: str, theirs: str) -> tuple[bool, str]:
    if theirs == NONE:
        return True, NONE
    return bool(theirs) and ours.startswith(theirs), f"{ours} here, {theirs or 'not said'} published"
