"""Rules of the regression gate: by how much a field may get worse."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from samplerbench.errors import InputError, nearest
from samplerbench.metrics.column import Better, Column

COUNTED = ("nfe", "gflops_per_image")  # the same on every machine: any rise is a change of the code
RATIOS = ("overhead_ratio", "inner_ratio")  # of times, which transfer between machines better than seconds
HOST = ("overhead_ratio",)  # compares within a host: bare forwards, unlike a run's own calls, feel its other work
MACHINE = ("latency_s", "latency_p95_s", "peak_memory_mb")  # compare on one machine only
COST = (*COUNTED, *RATIOS, *MACHINE)  # in all of them, lower is better


@dataclass(frozen=True)
class Rule:
    """A field may get worse by `relative` of the baseline or by `absolute`, whichever is more.

    better: the direction that is an improvement.
    floor: whether it may also get worse by the standard error of its floor (the score of real images).
    floor_spread: the column with that floor's standard deviation over seed blocks, if the field has one.
    """

    field: str
    relative: float = 0.0
    absolute: float = 0.0
    better: Better = "lower"
    floor: bool = False
    floor_spread: str = ""

    def worsening(self, baseline: float, current: float) -> float:
        """How much worse `current` is than `baseline`; negative for an improvement."""
        return baseline - current if self.better == "higher" else current - baseline

    def margin(self, baseline: float) -> float:
        """How much worse than `baseline` is allowed."""
        return max(self.relative * abs(baseline), self.absolute)

    def __str__(self) -> str:
        relative, absolute = f"{100 * self.relative:.3g} %", f"{self.absolute:.3g}"
        limits = [text for text, given in ((relative, self.relative > 1e-5), (absolute, self.absolute > 0)) if given]
        return f"{self.field} may {'fall' if self.better == 'higher' else 'rise'} by {' or '.join(limits) or 'nothing'}"


# The default rules say their own directions, so that they need no metric to be imported.
RULES = (
    Rule("nfe"),
    Rule("gflops_per_image", relative=1e-6),
    Rule("fid", relative=0.02, floor=True, floor_spread="fid_floor_sd"),
    Rule("fd", relative=0.02, floor=True, floor_spread="fd_floor_sd"),
    Rule("overhead_ratio", relative=0.15, absolute=0.03),
    Rule("inner_ratio", relative=0.15, absolute=0.03),
)


def merge_rules(given: Sequence[str], recorded: Sequence[Column] = ()) -> list[Rule]:
    """The default rules, replaced or extended by those given as for `--fail-on`. Raises InputError."""
    rules = {rule.field: rule for rule in RULES}
    return list((rules | {rule.field: rule for rule in (parse_rule(text, recorded) for text in given)}).values())


def parse_rule(text: str, recorded: Sequence[Column] = ()) -> Rule:
    """The rule that `fid:2%` or `overhead_ratio:0.05` describes. Raises InputError.

    recorded: the columns of metrics that the runs recorded.
    """
    match = re.fullmatch(r"\s*(\w+)\s*:\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text)
    if match is None:
        raise InputError(f"--fail-on takes FIELD:THRESHOLD, as in fid:2% or overhead_ratio:0.05, not {text!r}.")
    field, number, percent = match.groups()
    rule = _without_limits(field, recorded)
    return replace(rule, relative=float(number) / 100) if percent else replace(rule, absolute=float(number))


def _without_limits(field: str, recorded: Sequence[Column]) -> Rule:
    """A rule that lets the field get worse by nothing."""
    rules = _of_columns(recorded) | {name: Rule(name) for name in COST}
    rules |= {rule.field: Rule(rule.field, better=rule.better, floor_spread=rule.floor_spread) for rule in RULES}
    if field not in rules:
        # Only a metric that neither run recorded has to be looked up in the registry, which imports torch.
        from samplerbench.metrics.base import METRICS

        rules |= _of_columns(column for name in METRICS.names() for column in METRICS.lookup(name).columns)
    if field not in rules:
        raise InputError(f"--fail-on has no field {field!r} to compare. {nearest(field, rules)}")
    return rules[field]


def _of_columns(columns: Iterable[Column]) -> dict[str, Rule]:
    """A rule without limits for every column that has a better direction."""
    return {
        column.name: Rule(column.name, better=column.better, floor_spread=column.floor_spread)
        for column in columns
        if column.better
    }
