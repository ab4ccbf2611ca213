"""Benchmark two commits on this machine in ABBA order, so that drift affects both equally."""

import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd

from samplerbench.errors import InputError
from samplerbench.regression.cell import cell_name, rows_by_cell
from samplerbench.regression.checkout import Checkout, both_checkouts
from samplerbench.regression.compare import compare
from samplerbench.regression.isolated_run import run_in, split_options
from samplerbench.regression.rule import RATIOS, Rule
from samplerbench.regression.verdicts import Status, Verdict
from samplerbench.store.protocol import protocol_facts
from samplerbench.store.run_directory import read_results

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
    with both_checkouts(reference) as checkouts, tempfile.TemporaryDirectory() as folder:
        before, after = _measure(*checkouts, options, Path(folder, "first"))
        facts = [protocol_facts(runs[0]) for runs in (before, after)]
        frames = [[read_results(run) for run in runs] for runs in (before, after)]
        verdicts = compare(frames[0][0], frames[1][0], list(given.values()), facts)
        slower = compare_speed(frames[0], frames[1], speed)
        if any(verdict.status == "regression" for verdict in slower):
            before, after = _measure(*checkouts, options, Path(folder, "again"))
            slower = confirm(slower, compare_speed(map(read_results, before), map(read_results, after), speed))
    return [verdict for verdict in verdicts if verdict.status != "info"] + slower


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
    from samplerbench.networks.checkpoints import (
        FOLDER,
    )  # imports torch, which `bench compare` of two files does not need

    options = split_options(PROFILE if sweep is None else sweep)
    if "--output" in options:
        raise InputError("--run takes no --output: each commit gets a folder of its own.")
    if "--weights" not in options and Path(FOLDER).is_dir():
        options += ["--weights", str(Path(FOLDER).resolve())]  # ignored by git: both commits take the same
    return options


def _measure(
    before: Checkout, after: Checkout, options: Sequence[str], folder: Path
) -> tuple[tuple[Path, Path], tuple[Path, Path]]:
    """The run directories of two sweeps on each checkout, made in the order ABBA."""
    runs = [folder / f"run-{turn}" for turn in range(4)]
    sides = [(before, after), (after, before), (after, before), (before, after)]
    for turn, (run, (checkout, other)) in enumerate(zip(runs, sides, strict=True), start=1):
        print(f"{turn} of {len(runs)}: {checkout.name}", file=sys.stderr, flush=True)
        run_in(checkout, options, run, other)
    return (runs[0], runs[3]), (runs[1], runs[2])
