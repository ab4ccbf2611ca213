"""The verdicts of a comparison, their exit code, and how they are written: text, Markdown, JSON or JUnit."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal
from xml.etree import ElementTree

Status = Literal["regression", "missing", "inconclusive", "new", "ok", "info"]
ORDER: tuple[Status, ...] = ("regression", "missing", "inconclusive", "new", "ok", "info")
SHOWN = ORDER[:4]  # in full; the others are counted, or folded away
MARKS = {"regression": "❌ ", "missing": "❌ ", "inconclusive": "❔ ", "new": "➕ "}


@dataclass(frozen=True)
class Verdict:
    """The verdict on one field of one cell; field is "" for a verdict on the whole cell.

    status: missing from the new run, new in it, inconclusive if the change is within the noise, info for a field that
    no rule compares.
    """

    cell: str
    field: str
    baseline: float | None
    current: float | None
    status: Status
    reason: str


def exit_code(verdicts: Sequence[Verdict], strict: bool) -> int:
    """1 for a regression or a missing cell or metric, 4 for an inconclusive one if `strict`, else 0."""
    found = {verdict.status for verdict in verdicts}
    if found & {"regression", "missing"}:
        return 1
    return 4 if strict and "inconclusive" in found else 0


def render(verdicts: Sequence[Verdict], form: str) -> str:
    """The verdicts as `text`, `markdown`, `json` or `junit`, the worst first."""
    ordered = sorted(verdicts, key=lambda verdict: ORDER.index(verdict.status))
    return {"text": _text, "markdown": _markdown, "json": _json, "junit": _junit}[form](ordered)


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many verdicts have each status."""
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in ORDER[:5]}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "nothing to compare"


def _text(verdicts: Sequence[Verdict]) -> str:
    lines = [
        f"{v.status:<13}{v.cell}{': ' if v.field else ''}{v.field}: {v.reason}" for v in verdicts if v.status in SHOWN
    ]
    return "\n".join([*lines, summary(verdicts)])


def _markdown(verdicts: Sequence[Verdict]) -> str:
    """A table of the verdicts that need attention; the others are folded away."""
    parts = [f"**samplerbench compare: {summary(verdicts)}**"]
    notable = [verdict for verdict in verdicts if verdict.status in SHOWN]
    rest = [verdict for verdict in verdicts if verdict.status not in SHOWN]
    if notable:
        parts.append(_table(notable))
    if rest:
        parts.append(f"<details><summary>{len(rest)} other metrics</summary>\n\n{_table(rest)}\n\n</details>")
    return "\n\n".join(parts)


def _table(verdicts: Sequence[Verdict]) -> str:
    head = "| | cell | metric | baseline | current | why |\n|:--|:--|:--|--:|--:|:--|\n"
    return head + "\n".join(
        f"| {MARKS.get(v.status, '')}{v.status} | {_escaped(v.cell)} | {v.field} | {_number(v.baseline)} "
        f"| {_number(v.current)} | {_escaped(v.reason)} |"
        for v in verdicts
    )


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _json(verdicts: Sequence[Verdict]) -> str:
    rows = [asdict(verdict) for verdict in verdicts]
    # JSON has no NaN.
    return json.dumps([{k: None if v != v else v for k, v in row.items()} for row in rows], indent=2)


def _junit(verdicts: Sequence[Verdict]) -> str:
    """One test case for every verdict: a regression is a failure, an uncertain one is skipped."""
    failed = sum(verdict.status in ("regression", "missing") for verdict in verdicts)
    skipped = sum(verdict.status in ("inconclusive", "new") for verdict in verdicts)
    suite = ElementTree.Element(
        "testsuite", name="samplerbench compare", tests=str(len(verdicts)), failures=str(failed), skipped=str(skipped),
        errors="0",
    )  # fmt: skip
    for verdict in verdicts:
        case = ElementTree.SubElement(suite, "testcase", classname=verdict.cell, name=verdict.field or "cell")
        if verdict.status in ("regression", "missing"):
            ElementTree.SubElement(case, "failure", message=verdict.reason, type=verdict.status)
        elif verdict.status in ("inconclusive", "new"):
            ElementTree.SubElement(case, "skipped", message=f"{verdict.status}: {verdict.reason}")
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)
