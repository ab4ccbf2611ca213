"""Has it got worse? Two runs, cell by cell: counted work exactly, quality paired by seed block, speed as a ratio."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student

from bench.errors import InputError
from bench.store import identity, per_sample, read_results
from bench.table import label
from methods import nearest

CONFIDENCE = 0.99  # of the one-sided bounds
PROTOCOL = "dataset resolution samples seeds".split()  # what a row shows of its protocol
# Fields whose rise is a regression, with the column that holds their samples: paired by seed block, or by chance.
SAMPLES = {"fid": "fid_per_seed", "overhead_ratio": "overhead_per_round"}
COUNTED = ("nfe", "gflops_per_image")


class NotComparable(ValueError):
    """Two runs whose figures do not mean the same; the message is one sentence that says what differs."""


@dataclass(frozen=True)
class Rule:
    """A field may rise by `relative` of the baseline, or by `absolute` if that is more."""

    field: str
    relative: float = 0.0
    absolute: float = 0.0

    def margin(self, baseline: float) -> float:
        """How much more than `baseline` is allowed."""
        return max(self.relative * abs(baseline), self.absolute)

    def __str__(self) -> str:
        limits = [f"{self.relative:.3g} of the baseline"] * (self.relative > 0) + [f"{self.absolute:g}"] * (
            self.absolute > 0
        )
        return f"{self.field} may rise by {' or '.join(limits) or 'nothing'}"


RULES = (
    Rule("nfe"),
    Rule("gflops_per_image", relative=1e-6),
    Rule("fid", relative=0.02),
    Rule("overhead_ratio", relative=0.15, absolute=0.03),
)


@dataclass(frozen=True)
class Verdict:
    """One field of one cell. status: ok, regression, inconclusive, missing or new."""

    cell: str
    field: str
    baseline: float | None
    current: float | None
    status: str
    reason: str


def compare(baseline: pd.DataFrame, current: pd.DataFrame, rules: Sequence[Rule] = RULES) -> list[Verdict]:
    """Judge every cell of both runs. Raises NotComparable if their protocols differ, or the baseline is empty."""
    if baseline.empty:
        raise NotComparable("The baseline has no rows: measure one first.")
    _check_protocols(baseline, current)
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
    fields = [*COUNTED, *SAMPLES]
    if field not in fields:
        raise InputError(f"--fail-on cannot judge {field!r}. {nearest(field, fields)}")
    return Rule(field, relative=float(number) / 100) if percent else Rule(field, absolute=float(number))


def merge_rules(given: Sequence[str]) -> list[Rule]:
    """The default rules, each replaced by the one given for its field."""
    changed = {rule.field: rule for rule in map(parse_rule, given)}
    return [changed.get(rule.field, rule) for rule in RULES]


def name(row: pd.Series) -> str:
    """A cell as people call it."""
    parts = [label(row), "" if pd.isna(row["steps"]) else f"{row['steps']} steps", row["grid"], row["recipe"]]
    return ", ".join(filter(None, parts))


def read_both(baseline: Path, current: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of both runs. Raises NotComparable if there is no baseline, InputError for what is no run."""
    if not baseline.exists():
        raise NotComparable(f"There is no baseline at {str(baseline)!r}: measure one first.")
    return read_results(baseline), read_results(current)


def _check_protocols(baseline: pd.DataFrame, current: pd.DataFrame) -> None:
    before, after = (set(frame["protocol"]) for frame in (baseline, current))
    if len(after) == 0 or before == after:
        return
    shown = {column: [sorted(set(frame[column].astype(str))) for frame in (baseline, current)] for column in PROTOCOL}
    differing = [f"{column} ({' '.join(a)} and {' '.join(b)})" for column, (a, b) in shown.items() if a != b]
    what = ", ".join(differing) or "the data, the reference or the extractor"
    raise NotComparable(f"The runs follow different protocols, so their figures do not compare: {what}.")


def _judge_cell(before: pd.Series, after: pd.Series | None, rules: Sequence[Rule]) -> list[Verdict]:
    if after is None:
        return [Verdict(name(before), "", None, None, "missing", "the new run has no such cell")]
    if after["status"] != "ok":
        return [Verdict(name(before), "", None, None, "regression", f"the cell {after['status']}: {after['error']}")]
    return [_judge(rule, before, after) for rule in rules if not pd.isna(before[rule.field])]


def _judge(rule: Rule, before: pd.Series, after: pd.Series) -> Verdict:
    old, new = before[rule.field], after[rule.field]
    if pd.isna(new):
        status, reason = "missing", "the new run did not measure it"
    elif rule.field in COUNTED:
        status = "regression" if new - old > rule.margin(old) else "ok"
        reason = f"rose from {old:g} to {new:g}" if status == "regression" else "counted"
    else:
        status, reason = _judge_samples(rule, before, after)
    if status == "regression":
        reason += f"; {rule}"
    return Verdict(name(before), rule.field, float(old), float(new), status, reason)


def _judge_samples(rule: Rule, before: pd.Series, after: pd.Series) -> tuple[str, str]:
    """One-sided bounds of the mean difference against the margin."""
    column = SAMPLES[rule.field]
    old, new = (per_sample(row[column] or str(row[rule.field])) for row in (before, after))
    margin = rule.margin(before[rule.field])
    rise, error, freedom = _paired(old, new) if rule.field == "fid" else _unpaired(old, new)
    if freedom < 1:
        kind = "seed block" if rule.field == "fid" else "round"
        return ("ok" if rise <= margin else "inconclusive"), f"rise {rise:+.3g} from a single {kind}, without a spread"
    reach = student.ppf(CONFIDENCE, freedom) * error
    text = f"rise {rise:+.3g}, {CONFIDENCE:.0%} bounds {rise - reach:+.3g} and {rise + reach:+.3g}, margin {margin:.3g}"
    if rise - reach > margin:
        return "regression", text
    return ("ok" if rise + reach <= margin else "inconclusive"), text


def _paired(old: np.ndarray, new: np.ndarray) -> tuple[float, float, float]:
    """Mean difference on the same noise, its standard error and degrees of freedom."""
    if len(old) != len(new):
        return float(new.mean() - old.mean()), 0.0, 0.0
    difference = new - old
    spread = difference.std(ddof=1) if len(difference) > 1 else 0.0
    return float(difference.mean()), float(spread / len(difference) ** 0.5), len(difference) - 1


def _unpaired(old: np.ndarray, new: np.ndarray) -> tuple[float, float, float]:
    """Welch's: the difference of the means, its standard error and degrees of freedom."""
    if min(len(old), len(new)) < 2:
        return float(new.mean() - old.mean()), 0.0, 0.0
    variances = [values.var(ddof=1) / len(values) for values in (old, new)]
    total = sum(variances)
    weights = sum(v**2 / (len(values) - 1) for v, values in zip(variances, (old, new), strict=True))
    return float(new.mean() - old.mean()), float(total**0.5), float(total**2 / weights) if weights else len(new) - 1


def render(verdicts: Sequence[Verdict], form: str) -> str:
    """The verdicts as `text`, `markdown` or `json`: what is not ok first."""
    order = ["regression", "missing", "inconclusive", "new", "ok"]
    verdicts = sorted(verdicts, key=lambda verdict: order.index(verdict.status))
    if form == "json":
        return json.dumps([asdict(verdict) for verdict in verdicts], indent=2)
    counts = [f"{sum(v.status == status for v in verdicts)} {status}" for status in order]
    summary = ", ".join(count for count in counts if not count.startswith("0 ")) or "nothing to compare"
    if form == "markdown":
        rows = [{key: "" if value is None else value for key, value in asdict(v).items()} for v in verdicts]
        return f"**flowbench compare: {summary}**\n\n" + pd.DataFrame(rows).to_markdown(index=False, floatfmt=".4g")
    lines = [
        f"{v.status:<13}{v.cell}{': ' if v.field else ''}{v.field}: {v.reason}" for v in verdicts if v.status != "ok"
    ]
    return "\n".join([*lines, summary])
