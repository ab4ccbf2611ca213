"""Benchmark two commits on this machine; where they are timed, in ABBA order, so that drift affects both equally."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd

from samplerbench.errors import InputError
from samplerbench.regression.cell import cell_name, rows_by_cell
from samplerbench.regression.checkout import both_checkouts
from samplerbench.regression.compare import compare, compare_new
from samplerbench.regression.isolated_run import split_options
from samplerbench.regression.rule import RATIOS, Rule
from samplerbench.regression.sides import Side, sides
from samplerbench.regression.verdicts import Status, Verdict
from samplerbench.store.protocol import protocol_facts
from samplerbench.store.stored_rows import read_results

PROFILE = "--steps 5 --samples 250 --seeds 0-15 --batch-size 250"  # the default sweep
LATENCY = Rule("latency_s", relative=0.15)  # seconds compare here: both commits run on this machine within minutes


def compare_commits(reference: str, sweep: str | None, rules: Sequence[Rule]) -> list[Verdict]:
    """Compare the working tree of the current folder with a commit; a slower cell is measured once more.

    reference: anything that git accepts as a commit. sweep: the options of `bench run`, as one string.
    Raises InputError if there is no such commit or a run fails; NotComparable as `compare` does.
    """
    options = _options(sweep)
    given = {rule.field: rule for rule in rules}
    speed = [given.pop(field, LATENCY) for field in (LATENCY.field, *RATIOS)]
    with both_checkouts(reference) as checkouts, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        before, after, verdicts = sides(*checkouts, options, folder)
        if before.options is not None:
            verdicts += _compare_sides(before, after, list(given.values()), speed, folder)
        elif after.options is not None:
            verdicts += compare_new(rows_by_cell(read_results(after.run(folder / "new"))).values())
    return [verdict for verdict in verdicts if verdict.status != "info"]


def _compare_sides(
    before: Side, after: Side, rules: Sequence[Rule], speed: Sequence[Rule], folder: Path
) -> list[Verdict]:
    runs = _measure(before, after, folder / "first")
    ours, theirs = ([read_results(run) for run in side] for side in runs)
    verdicts = compare(ours[0], theirs[0], rules, [protocol_facts(side[0]) for side in runs])
    slower = compare_speed(ours, theirs, speed)
    if any(verdict.status == "regression" for verdict in slower):
        ours, theirs = ([read_results(run) for run in side] for side in _measure(before, after, folder / "again"))
        slower = confirm(slower, compare_speed(ours, theirs, speed))
    return verdicts + slower


def compare_speed(
    before: Iterable[pd.DataFrame], after: Iterable[pd.DataFrame], rules: Sequence[Rule]
) -> list[Verdict]:
    """A cell is slower if it is in every pair of neighbouring runs, by more than a rule's margin."""
    pairs = [(rows_by_cell(one), rows_by_cell(other)) for one, other in zip(before, after, strict=True)]
    verdicts = []
    for (key, row), rule in product(pairs[0][0].items(), rules):
        timed = [(one[key][rule.field], other[key][rule.field]) for one, other in pairs if key in one and key in other]
        timed = [(old, new) for old, new in timed if not (pd.isna(old) or pd.isna(new))]
        if timed:
            verdicts.append(_compare_pairs(rule, cell_name(row), timed))
    return verdicts


def confirm(first: Sequence[Verdict], second: Sequence[Verdict]) -> list[Verdict]:
    """The first verdicts, with the status of each regression from the second verdict on the same field, if any."""
    again = {(verdict.cell, verdict.field): verdict for verdict in second}
    confirmed = []
    for verdict in first:
        other = again.get((verdict.cell, verdict.field))
        if verdict.status == "regression" and other:
            reason = f"{verdict.reason}; measured again: {other.reason}"
            verdict = replace(verdict, reason=reason, status=other.status)
        confirmed.append(verdict)
    return confirmed


def _compare_pairs(rule: Rule, cell: str, timed: Sequence[tuple[float, float]]) -> Verdict:
    ratios = " and ".join(f"{new / old:.3f}" for old, new in timed)
    worse = [new - old > rule.margin(old) for old, new in timed]
    status: Status = "regression" if all(worse) else "inconclusive" if any(worse) else "ok"
    reason = f"{ratios} times that of the other commit, run in turn; {rule}"
    return Verdict(cell, rule.field, timed[0][0], timed[0][1], status, reason)


def _options(sweep: str | None) -> list[str]:
    """The options of `bench run` for both checkouts. Raises InputError."""
    options = split_options(PROFILE if sweep is None else sweep)
    if "--output" in options:
        raise InputError("--run takes no --output: each commit gets a folder of its own.")
    return options


def _measure(before: Side, after: Side, folder: Path) -> tuple[list[Path], list[Path]]:
    """The run directories of each side: one, or two where the sweep is timed, made in the order ABBA."""
    ours, theirs = [before.run(folder / "a1")], [after.run(folder / "b1")]
    if any(read_results(run)["latency_s"].notna().any() for run in (*ours, *theirs)):
        theirs.append(after.run(folder / "b2"))
        ours.append(before.run(folder / "a2"))
    return ours, theirs
