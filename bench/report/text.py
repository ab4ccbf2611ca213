"""A report in words: what was measured, who is best at each budget, what failed, and how to read the columns."""

import re
from collections.abc import Container, Iterator, Mapping, Sequence

import pandas as pd

from samplerbench.metrics.column import BLOCKS, Column
from samplerbench.report.columns import SPEED, heading, metric_columns
from samplerbench.report.marks import defects, meanings
from samplerbench.report.table import MARKED, TRAINING, WORSE
from samplerbench.store.columns import blocks
from samplerbench.store.labels import DEFAULT, grids
from samplerbench.store.protocol import ranges
from samplerbench.store.results import Results

NOTHING = "Nothing has been measured yet."
PUBLISHED = (
    "Results of others, with other networks and under other protocols: they show what is possible, and are not "
    "comparable with ours number by number. FID is by Inception throughout; `second-hand` marks numbers taken from a "
    "table in someone else's paper."
)
STEPS = "**NFE**: network evaluations per image, counted. **steps**: intervals of the time grid."
DEFAULT_GRID = (
    "**(default)** after a grid: the method's default. To compare methods as solvers, run them on the same grid."
)
INTERVAL = "**±** after {headings}: half the 95 % t-interval of the mean over the seed blocks."
DERIVED = {
    WORSE: "**worse than at**: more evaluations make it worse. The same method is better at this lower NFE, by the "
    "paired differences over the seed blocks (95 %, shared among its comparisons), or with a single block by more than "
    "four standard deviations of a FID (that of the floor, scaled by the root of FID / floor). Ringed in the chart.",
    "rank": "**rank**: the ranks that a row may have among those of equal NFE (within 10 %): below all rows that are "
    "significantly better, above all that are significantly worse, each by the paired differences on the same noise "
    "(95 %, two-sided t over the seed blocks, not corrected for the number of pairs). A verdict's ties mean the same.",
    "Pareto": "**Pareto**: the fronts that the row is on: NFE, time, or both. No other row is as good in both FID and "
    "cost and better in one.",
    "x floor": "**x floor**: FID divided by the floor.",
}
TRAINED = (
    "**training**: optimiser steps of the network, and the seconds they took; for a student, including the students it "
    "starts from. **teacher NFE**: evaluations of single images by its teachers. Excludes the root **teacher**'s own "
    "training. Blank if the checkpoint does not record it."
)


def summary(results: Results) -> str:
    """How many cells were measured, and the cautions."""
    states = results.rows["status"].value_counts()
    measured = int(states.get("ok", 0))
    counts = [f"{measured} cell{'s' * (measured != 1)} measured"]
    counts += [f"{states[state]} {state}" for state in ("failed", "skipped") if state in states]
    text = ", ".join(counts) + "."
    if len(results.facts) > 1:
        text += f" From {len(results.facts)} runs: {', '.join(f'`{name}`' for name in results.facts)}."
    return " ".join([text, *(f"**{sentence}**" for sentence in cautions(results))])


def cautions(results: Results) -> list[str]:
    """What to know before comparing rows."""
    found = []
    if len(results.groups) > 1:
        found.append("The runs follow different protocols: metrics are comparable only within one protocol.")
    if results.rows["machine"][results.rows["latency_s"].notna()].nunique() > 1:
        found.append("The runs were made on different machines: their seconds do not compare, their overhead does.")
    return [*found, *dict.fromkeys(filter(None, map(_too_few, results.groups))), *defects(results.rows)]


def _too_few(group: Results) -> str:
    quality = group.quality
    if not quality or quality["samples"] > quality["features"]:
        return ""
    return (
        f"Too few samples: {quality['samples']} images do not determine the covariance of {quality['features']} "
        "features, so the Frechet distances are biased; raise --samples."
    )


def title(group: Results) -> str:
    """The protocol of a group, as a heading."""
    quality = group.quality
    protocol = f"Protocol {_protocol(group)}"
    if not quality:
        return f"{protocol}: speed only"
    seeds = ranges(quality["seeds"])
    return f"{protocol}: {quality['dataset']}, {quality['samples']} samples, seeds {seeds}, {quality['extractor']}"


def listed(texts: Sequence[str]) -> str:
    """`2, 4 and 8`."""
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last


def failures(shown: pd.DataFrame) -> list[str]:
    """The cells of a table that were not measured, each with its reason in full, which tables cut short."""
    inside = shown[shown["status"] != ""].to_dict("records") if "status" in shown else []
    found: dict[tuple[str, str], list[str]] = {}
    for row in (*inside, *shown.attrs.get("left_out", ())):
        found.setdefault((row["method"], row["status"]), []).append(row.get("steps", ""))
    return [f"`{method}`{_at_steps(steps)}: {status}" for (method, status), steps in found.items()]


def _at_steps(counts: Sequence[str]) -> str:
    """`, 2, 4 and 8 steps`."""
    counts = [*dict.fromkeys(filter(None, counts))]
    return f", {listed(counts)} step" + "s" * (counts != ["1"]) if counts else ""


def reading(results: Results, shown: Container[str]) -> list[str]:
    """How to read the columns with values. shown: the headings of the table."""
    return [*dict.fromkeys(text for _, text in notes(results, shown))]


def notes(results: Results, shown: Container[str]) -> Iterator[tuple[str, str]]:
    """Heading and meaning of the columns with values, in Markdown; a heading may be several times in it."""
    rows = results.rows
    yield "NFE", STEPS
    if any(grid.endswith(DEFAULT) for grid in grids(rows[["grid", "own_grid"]].to_dict("records"))):
        yield "grid", DEFAULT_GRID
    for group in results.groups:
        yield from _metric_notes(group)
    yield from ((name, text) for name, text in DERIVED.items() if name in shown)
    if MARKED in shown:
        yield from ((MARKED, meaning) for meaning in meanings(rows))
    if TRAINING in shown:
        yield TRAINING, TRAINED
    batches = rows["batch_size"].dropna().unique()
    batch = {"batch": f" of {batches[0]}" if len(batches) == 1 else ""}
    stored = (column for column in SPEED if column.meaning and _has(column.name, rows))
    yield from ((column.label, filled(column.meaning, batch)) for column in stored)


def _metric_notes(group: Results) -> Iterator[tuple[str, str]]:
    exact = group.quality.get("extractor") == "pixels"
    columns = [column for column in metric_columns(group) if _has(column.name, group.rows)]
    for column in columns:
        name = heading(column, group.quality)
        meaning = (exact and column.meaning_exact) or column.meaning
        if meaning:
            yield name, filled(meaning, group.quality | {"label": name, "protocol": _protocol(group)})
    uncertain = [heading(column, group.quality) for column in columns if _has_interval(column, group.rows)]
    if uncertain:
        yield "", INTERVAL.format(headings=listed(uncertain))


def filled(text: str, facts: Mapping[str, object]) -> str:
    """A text with facts in the place of `{name}`; names that are no fact stay, since plug-ins may write any text."""
    return re.sub(r"\{(\w+)\}", lambda found: str(facts.get(found[1], found[0])), text)


def _has_interval(column: Column, rows: pd.DataFrame) -> bool:
    return column.spread == BLOCKS and any(len(blocks(row, column.name)) > 1 for row in rows.to_dict("records"))


def _has(name: str, rows: pd.DataFrame) -> bool:
    return name in rows and bool(rows[name].notna().any())


def _protocol(group: Results) -> str:
    return next(iter(group.facts.values()))["protocol"]
