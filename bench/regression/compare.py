"""Has it got worse? Two runs compared, cell by cell."""

from collections.abc import Iterable, Sequence

import pandas as pd

from samplerbench.errors import reading
from samplerbench.metrics.column import Column
from samplerbench.regression.cell import cell_name, rows_by_cell
from samplerbench.regression.field import compare_field, same_machine
from samplerbench.regression.rule import RULES, Rule, merge_rules
from samplerbench.regression.verdicts import Verdict
from samplerbench.store.place import Place
from samplerbench.store.protocol import NotComparable, differences, protocol_facts, recorded_columns
from samplerbench.store.stored_rows import read_results

PROTOCOL = ("dataset", "resolution", "samples", "seeds")  # the columns that a protocol determines


def compare_runs(baseline: Place, current: Place, fail_on: Sequence[str] = ()) -> list[Verdict]:
    """Compare two runs, each a run directory or a CSV, by the default rules and those of `--fail-on`.

    Raises NotComparable if there is no baseline or the protocols differ, InputError for anything that is not a run.
    """
    rules = merge_rules(
        fail_on, [Column.from_json(column) for run in (baseline, current) for column in recorded_columns(run)]
    )
    with reading(baseline):
        found = baseline.exists()
    if not found:
        raise NotComparable(f"There is no baseline at {str(baseline)!r}: measure one first.")
    facts = [protocol_facts(run) for run in (baseline, current)]
    return compare(read_results(baseline), read_results(current), rules, facts)


def compare(
    baseline: pd.DataFrame, current: pd.DataFrame, rules: Sequence[Rule] = RULES, facts: Sequence[dict | None] = ()
) -> list[Verdict]:
    """The verdicts on every cell of both runs. Raises NotComparable if their protocols differ, or one is empty.

    facts: the recorded protocol of each, for the sentence that names the difference.
    """
    for frame, which, todo in ((baseline, "baseline", "measure one"), (current, "new run", "measure it")):
        if frame.empty:
            raise NotComparable(f"The {which} has no rows: {todo} first.")
    _check_protocols(baseline, current, facts)
    before, after = rows_by_cell(baseline), rows_by_cell(current)
    verdicts = []
    for key, row in before.items():
        if row["status"] == "ok":
            verdicts += _compare_cell(row, after.get(key), rules)
    return verdicts + compare_new(row for key, row in after.items() if key not in before)


def compare_new(rows: Iterable[pd.Series]) -> list[Verdict]:
    """The verdicts on cells that the baseline does not have: only a failed one is wrong."""
    return [
        Verdict(cell_name(row), "", None, None, "regression", f"the cell failed: {row['error']}")
        if row["status"] == "failed"
        else Verdict(cell_name(row), "", None, None, "new", "the baseline has no such cell")
        for row in rows
    ]


def _check_protocols(baseline: pd.DataFrame, current: pd.DataFrame, facts: Sequence[dict | None]) -> None:
    if set(baseline["protocol"]) == set(current["protocol"]):
        return
    shown = {column: [sorted(set(frame[column].astype(str))) for frame in (baseline, current)] for column in PROTOCOL}
    differing = [f"{column} ({' '.join(a)} and {' '.join(b)})" for column, (a, b) in shown.items() if a != b]
    named = differences(facts) if len(facts) == 2 and all(facts) else differing
    what = ", ".join(named) or "the data, the reference or the extractor"
    raise NotComparable(f"The runs follow different protocols, so their metrics cannot be compared: {what}.")


def _compare_cell(before: pd.Series, after: pd.Series | None, rules: Sequence[Rule]) -> list[Verdict]:
    if after is None:
        return [Verdict(cell_name(before), "", None, None, "missing", "the new run has no such cell")]
    if after["status"] != "ok":
        reason = f"the cell {after['status']}: {after['error']}"
        return [Verdict(cell_name(before), "", None, None, "regression", reason)]
    verdicts = [compare_field(rule, before, after) for rule in rules if not pd.isna(before.get(rule.field))]
    return verdicts + _latency(before, after, [rule.field for rule in rules])


def _latency(before: pd.Series, after: pd.Series, compared: Sequence[str]) -> list[Verdict]:
    """Both latencies, for information, unless a rule compares them: seconds depend on the machine first."""
    old, new = before["latency_s"], after["latency_s"]
    if "latency_s" in compared or pd.isna(old) or pd.isna(new):
        return []
    where = "the same machine" if same_machine(before, after) else "another machine or with other versions"
    reason = f"{old:.3g} s became {new:.3g} s ({new / old - 1:+.0%}) on {where}; for information only"
    return [Verdict(cell_name(before), "latency_s", float(old), float(new), "info", reason)]
