"""Has it got worse? Two runs, cell by cell: counted work exactly, quality paired by seed block, speed as a ratio."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from samplerbench.errors import InputError
from samplerbench.methods import nearest
from samplerbench.metrics.directions import DIRECTIONS
from samplerbench.sampling.timing import trimmed
from samplerbench.store.labels import guided, label
from samplerbench.store.protocol import differences
from samplerbench.store.run_directory import blocks, identity, per_sample, read_results

CONFIDENCE = 0.99  # of the one-sided bounds
PROTOCOL = "dataset resolution samples seeds".split()  # what a row shows of its protocol

COUNTED = ("nfe", "gflops_per_image")
# What a machine measures, with the column of its rounds; only the ratios carry from one machine to another.
RATIOS = {"overhead_ratio": "overhead_per_round", "inner_ratio": "inner_per_round"}
SECONDS = {"latency_s": "latency_per_round", "latency_p95_s": None, "peak_memory_mb": None}
FIELDS = (*COUNTED, *DIRECTIONS, *RATIOS, *SECONDS)


class NotComparable(ValueError):
    """Two runs whose figures do not mean the same; the message is one sentence that says what differs."""


@dataclass(frozen=True)
class Rule:
    """A field may get worse by `relative` of the baseline, or by `absolute` if that is more.

    floor: or by the spread of the field's floor, if that is more still.
    """

    field: str
    relative: float = 0.0
    absolute: float = 0.0
    floor: bool = False

    @property
    def direction(self) -> int:
        """+1 if a rise is worse, -1 if a fall is."""
        return DIRECTIONS.get(self.field, 1)

    def margin(self, baseline: float) -> float:
        """How much worse than `baseline` is allowed."""
        return max(self.relative * abs(baseline), self.absolute)

    def __str__(self) -> str:
        limits = [f"{100 * self.relative:.3g} %"] * (self.relative > 1e-5) + [f"{self.absolute:.3g}"] * (
            self.absolute > 0
        )
        return f"{self.field} may {'rise' if self.direction > 0 else 'fall'} by {' or '.join(limits) or 'nothing'}"


RULES = (
    Rule("nfe"),
    Rule("gflops_per_image", relative=1e-6),
    Rule("fid", relative=0.02, floor=True),
    Rule("overhead_ratio", relative=0.15, absolute=0.03),
    Rule("inner_ratio", relative=0.15, absolute=0.03),
)


@dataclass(frozen=True)
class Verdict:
    """One field of one cell. status: regression, missing, inconclusive, new, ok, or info for what is only shown."""

    cell: str
    field: str
    baseline: float | None
    current: float | None
    status: str
    reason: str


def compare(
    baseline: pd.DataFrame, current: pd.DataFrame, rules: Sequence[Rule] = RULES, facts: Sequence[dict | None] = ()
) -> list[Verdict]:
    """Judge every cell of both runs. Raises NotComparable if their protocols differ, or one of them is empty.

    facts: the protocol of each as its run.json tells it, for the sentence that names what differs.
    """
    for frame, which, todo in ((baseline, "baseline", "measure one"), (current, "new run", "measure it")):
        if frame.empty:
            raise NotComparable(f"The {which} has no rows: {todo} first.")
    _check_protocols(baseline, current, facts)
    before, after = ({identity(row): row for _, row in frame.iterrows()} for frame in (baseline, current))
    verdicts = []
    for key, row in before.items():
        if row["status"] == "ok":
            verdicts += _judge_cell(row, after.get(key), rules)
    new = [row for key, row in after.items() if key not in before]
    return verdicts + [Verdict(name(row), "", None, None, "new", "the baseline has no such cell") for row in new]


def exit_code(verdicts: Sequence[Verdict], strict: bool) -> int:
    """0 nothing got worse, 1 a regression or a cell that is gone, 4 an inconclusive figure if `strict`."""
    found = {verdict.status for verdict in verdicts}
    if found & {"regression", "missing"}:
        return 1
    return 4 if strict and "inconclusive" in found else 0


def parse_rule(text: str) -> Rule:
    """`fid:2%` or `overhead_ratio:0.05`. Raises InputError."""
    match = re.fullmatch(r"\s*(\w+)\s*:\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text)
    if match is None:
        raise InputError(f"--fail-on takes FIELD:THRESHOLD, as in fid:2% or overhead_ratio:0.05, not {text!r}.")
    field, number, percent = match.groups()
    if field not in FIELDS:
        raise InputError(f"--fail-on cannot judge {field!r}. {nearest(field, FIELDS)}")
    return Rule(field, relative=float(number) / 100) if percent else Rule(field, absolute=float(number))


def merge_rules(given: Sequence[str]) -> list[Rule]:
    """The default rules, each replaced by the one given for its field, and those given for other fields."""
    rules = {rule.field: rule for rule in RULES}
    return list((rules | {rule.field: rule for rule in map(parse_rule, given)}).values())


def name(row: pd.Series) -> str:
    """A cell as people call it."""
    steps = "" if pd.isna(row["steps"]) else f"{row['steps']} steps"
    parts = [label(row), steps, row["grid"], row["recipe"], guided(row["guidance"])]
    return ", ".join(filter(None, parts))


def read_both(baseline: Path, current: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of both runs. Raises NotComparable if there is no baseline, InputError for what is no run."""
    if not baseline.exists():
        raise NotComparable(f"There is no baseline at {str(baseline)!r}: measure one first.")
    return read_results(baseline), read_results(current)


def protocol_facts(run: Path) -> dict | None:
    """What protocol.json or run.json beside the results says of their protocol; None if there is neither."""
    folder = run if run.is_dir() else run.parent
    for file in (folder / "protocol.json", folder / "run.json"):
        try:
            return json.loads(file.read_text())["quality"]
        except (OSError, ValueError, KeyError):
            continue
    return None


def _check_protocols(baseline: pd.DataFrame, current: pd.DataFrame, facts: Sequence[dict | None]) -> None:
    if set(baseline["protocol"]) == set(current["protocol"]):
        return
    shown = {column: [sorted(set(frame[column].astype(str))) for frame in (baseline, current)] for column in PROTOCOL}
    differing = [f"{column} ({' '.join(a)} and {' '.join(b)})" for column, (a, b) in shown.items() if a != b]
    named = differences(facts) if len(facts) == 2 and all(facts) else differing
    what = ", ".join(named) or "the data, the reference or the extractor"
    raise NotComparable(f"The runs follow different protocols, so their figures do not compare: {what}.")


def _judge_cell(before: pd.Series, after: pd.Series | None, rules: Sequence[Rule]) -> list[Verdict]:
    if after is None:
        return [Verdict(name(before), "", None, None, "missing", "the new run has no such cell")]
    if after["status"] != "ok":
        return [Verdict(name(before), "", None, None, "regression", f"the cell {after['status']}: {after['error']}")]
    verdicts = [judge(rule, before, after) for rule in rules if not pd.isna(before[rule.field])]
    return verdicts + _seconds(before, after, [rule.field for rule in rules])


def judge(rule: Rule, before: pd.Series, after: pd.Series) -> Verdict:
    """One field of a cell that both runs measured."""
    old, new = before[rule.field], after[rule.field]
    if pd.isna(new):
        status, reason = "missing", "the new run did not measure it"
    elif rule.field in SECONDS and not _same_machine(before, after):
        status, reason = "inconclusive", f"{old:.3g} and {new:.3g} on another machine or other versions: not judged"
    else:
        status, reason = _spread(rule)(rule, before, after)
    return Verdict(name(before), rule.field, float(old), float(new), status, reason)


Judgement = Callable[[Rule, pd.Series, pd.Series], tuple[str, str]]


def _spread(rule: Rule) -> Judgement:
    """How the field's uncertainty is known."""
    if rule.field in DIRECTIONS:
        return _judge_quality
    return _judge_rounds if (RATIOS | SECONDS).get(rule.field) else _judge_exactly


def _judge_exactly(rule: Rule, before: pd.Series, after: pd.Series) -> tuple[str, str]:
    old, new = before[rule.field], after[rule.field]
    worse = new - old > rule.margin(old)
    return ("regression", f"rose from {old:g} to {new:g}; {rule}") if worse else ("ok", f"{old:g} and {new:g}")


def _judge_quality(rule: Rule, before: pd.Series, after: pd.Series) -> tuple[str, str]:
    """The differences on the same noise, block by block; one block borrows the spread of its floor."""
    old, new = (blocks(row, rule.field) for row in (before, after))
    floor = before["fid_floor_sd"] if rule.field == "fid" else np.nan
    if rule.floor and not pd.isna(floor):
        rule = replace(rule, absolute=max(rule.absolute, floor / len(old) ** 0.5))
    if len(old) == len(new) > 1:
        difference = new - old
        return _bounds(rule, before, after, difference.std(ddof=1) / len(difference) ** 0.5, len(difference) - 1)
    return _bounds(rule, before, after, floor * 2**0.5, np.inf)


def _judge_rounds(rule: Rule, before: pd.Series, after: pd.Series) -> tuple[str, str]:
    """Welch's and Yuen's: the trimmed means of rounds that share nothing."""
    column = (RATIOS | SECONDS)[rule.field]
    samples = [per_sample(row[column]) for row in (before, after)]
    if min(map(len, samples)) < 2:
        return _bounds(rule, before, after, np.nan, 0)
    spreads = [trimmed(values)[1:] for values in samples]
    variances = np.array([error**2 for error, _ in spreads])
    weights = sum(variance**2 / freedom for variance, (_, freedom) in zip(variances, spreads, strict=True))
    return _bounds(rule, before, after, variances.sum() ** 0.5, variances.sum() ** 2 / weights if weights else 1)


def _bounds(rule: Rule, before: pd.Series, after: pd.Series, error: float, freedom: float) -> tuple[str, str]:
    """One-sided bounds of how much worse the field got, against the margin."""
    worse = rule.direction * (after[rule.field] - before[rule.field])
    margin, change = rule.margin(before[rule.field]), f"{after[rule.field] - before[rule.field]:+.3g}"
    if pd.isna(error):
        return ("ok" if worse <= margin else "inconclusive"), f"{change} from a single measurement, without a spread"
    reach = student.ppf(CONFIDENCE, freedom) * error
    text = f"{change}, worse by {worse - reach:.3g} to {worse + reach:.3g} ({CONFIDENCE:.0%}), margin {margin:.3g}"
    if worse - reach > margin:
        return "regression", f"{before[rule.field]:.4g} became {after[rule.field]:.4g}: {text}; {rule}"
    return ("ok" if worse + reach <= margin else "inconclusive"), text


def _seconds(before: pd.Series, after: pd.Series, judged: Sequence[str]) -> list[Verdict]:
    """The latency, shown, where no rule judges it: seconds are the machine's before they are the sampler's."""
    old, new = before["latency_s"], after["latency_s"]
    if "latency_s" in judged or pd.isna(old) or pd.isna(new):
        return []
    where = "the same machine" if _same_machine(before, after) else "another machine or other versions"
    reason = f"{old:.3g} s became {new:.3g} s ({new / old - 1:+.0%}) on {where}; shown, not judged"
    return [Verdict(name(before), "latency_s", float(old), float(new), "info", reason)]


def _same_machine(before: pd.Series, after: pd.Series) -> bool:
    return before["environment"] == after["environment"] != ""
