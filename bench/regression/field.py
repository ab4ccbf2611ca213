"""One field of a cell in two runs: counted work exactly, metrics paired by seed block, timings by their rounds."""

from dataclasses import replace

import numpy as np
import pandas as pd

from samplerbench.errors import InputError
from samplerbench.regression.cell import cell_name
from samplerbench.regression.rule import COST, HOST, MACHINE, Rule
from samplerbench.regression.verdicts import Status, Verdict
from samplerbench.statistics import paired_difference, quantile, to_six_digits, trimmed_difference
from samplerbench.store.columns import blocks, split_numbers

CONFIDENCE = 0.99  # of one-sided bounds
TWO_SIDED = 2 * CONFIDENCE - 1  # of the interval between two such bounds
ROUNDING = 1e-5  # relative difference that two values of six digits may owe to rounding

# The column with the samples of a timing, one for every round.
ROUNDS = {
    "overhead_ratio": "overhead_per_round",
    "inner_ratio": "inner_per_round",
    "latency_s": "latency_per_round",
}

Found = tuple[Status, str]  # and the reason


def compare_field(rule: Rule, before: pd.Series, after: pd.Series) -> Verdict:
    """The verdict of a rule on a cell with status ok in both runs, whose field the baseline (`before`) measured."""
    old, new = before[rule.field], after.get(rule.field, np.nan)
    status, reason = _find(rule, before, after, old, new)
    return Verdict(cell_name(before), rule.field, float(old), float(new), status, reason)


def _find(rule: Rule, before: pd.Series, after: pd.Series, old: float, new: float) -> Found:
    if pd.isna(new):
        return "missing", "the new run did not measure it"
    if rule.field in MACHINE and not same_machine(before, after):
        return "inconclusive", f"{old:.3g} and {new:.3g} on another machine or with other versions: not compared"
    if rule.field in HOST and not same_host(before, after):
        hosts = f"{before['host']} and {after['host']}"
        return "inconclusive", f"{old:.4g} and {new:.4g} on different hosts ({hosts}): not compared"
    if rule.field not in COST:
        return _compare_blocks(rule, before, after)
    return _compare_rounds(rule, before, after) if rule.field in ROUNDS else _compare_exactly(rule, old, new)


def same_machine(before: pd.Series, after: pd.Series) -> bool:
    """Whether both rows were measured on the same machine with the same versions, so that seconds compare."""
    return before["environment"] == after["environment"] != "" and same_host(before, after)


def same_host(before: pd.Series, after: pd.Series) -> bool:
    """Whether both rows were timed on the same host, as far as they name one: older rows do not."""
    hosts = {row.get("host", "") for row in (before, after)} - {""}
    return len(hosts) < 2


def _compare_exactly(rule: Rule, old: float, new: float) -> Found:
    """Compare to six digits, to which a baseline is rounded."""
    old, new = to_six_digits(old), to_six_digits(new)
    if rule.worsening(old, new) > rule.margin(old):
        return "regression", f"rose from {old:g} to {new:g}; {rule}"
    return "ok", f"{old:g} and {new:g}"


def _compare_blocks(rule: Rule, before: pd.Series, after: pd.Series) -> Found:
    """Compare a metric by its differences on the same noise; a single seed block borrows the spread of its floor."""
    ours, theirs = (_samples(row, rule.field) for row in (before, after))
    old, new = before[rule.field], after[rule.field]
    spread = before.get(rule.floor_spread, np.nan)
    if rule.floor and not pd.isna(spread):
        rule = replace(rule, absolute=max(rule.absolute, spread / len(ours) ** 0.5))
    change, half = new - old, quantile(CONFIDENCE, np.inf) * 2**0.5 * spread
    if len(ours) == len(theirs) > 1:
        paired, half = paired_difference(ours, theirs, TWO_SIDED)
        # Whoever edits a CSV changes the rows alone. Otherwise mean and spread come from the same rounded numbers.
        change = paired if _is_mean(old, ours) and _is_mean(new, theirs) else change
    return _compare_bounds(rule, old, new, change, half)


def _samples(row: pd.Series, field: str) -> np.ndarray:
    """The values of a field, one for each timed round or seed block. Raises InputError for anything but numbers."""
    try:
        return split_numbers(row[ROUNDS[field]]) if field in ROUNDS else np.atleast_1d(blocks(row, field))
    except (ValueError, TypeError) as error:
        raise InputError(f"{cell_name(row)}: the samples of {field} cannot be read ({error}).") from error


def _is_mean(value: float, values: np.ndarray) -> bool:
    """Whether a row's value is the mean of those of its seed blocks, but for rounding."""
    return bool(abs(value - values.mean()) <= ROUNDING * abs(values).max())


def _compare_rounds(rule: Rule, before: pd.Series, after: pd.Series) -> Found:
    """Compare timings by the trimmed means of their rounds, which are not paired."""
    ours, theirs = (_samples(row, rule.field) for row in (before, after))
    low, high = trimmed_difference(ours, theirs, TWO_SIDED)
    old, new = before[rule.field], after[rule.field]
    return _compare_bounds(rule, old, new, new - old, (high - low) / 2)


def _compare_bounds(rule: Rule, old: float, new: float, change: float, half: float) -> Found:
    """Compare the one-sided bounds of how much worse the field got, `half` from the change, with the margin."""
    worse, margin = rule.worsening(0.0, change), max(rule.margin(old), ROUNDING * abs(old))
    if pd.isna(half):
        text = f"{change:+.3g} from a single measurement, without a spread"
        return ("ok" if worse <= margin else "inconclusive"), text
    text = f"{change:+.3g}, worse by {worse - half:.3g} to {worse + half:.3g} ({CONFIDENCE:.0%}), margin {margin:.3g}"
    if worse - half > margin:
        return "regression", f"{old:.4g} became {new:.4g}: {text}; {rule}"
    return ("ok" if worse + half <= margin else "inconclusive"), text
