"""The verdicts of a comparison as text, Markdown, JSON and JUnit: what got worse first."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from xml.etree import ElementTree

from samplerbench.regression.compare import Verdict

ORDER = ("regression", "missing", "inconclusive", "new", "ok", "info")
SHOWN = ORDER[:4]  # in full; the rest is counted, or stands in the table
MARKS = {"regression": "❌ ", "missing": "❌ ", "inconclusive": "❔ ", "new": "➕ "}


def render(verdicts: Sequence[Verdict], form: str) -> str:
    """The verdicts as `text`, `markdown`, `json` or `junit`."""
    ordered = sorted(verdicts, key=lambda verdict: ORDER.index(verdict.status))
    return {"text": _text, "markdown": _markdown, "json": _json, "junit": _junit}[form](ordered)


def summary(verdicts: Sequence[Verdict]) -> str:
    """How many figures came out how."""
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in ORDER[:5]}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "nothing to compare"


def _text(verdicts: Sequence[Verdict]) -> str:
    lines = [
        f"{v.status:<13}{v.cell}{': ' if v.field else ''}{v.field}: {v.reason}" for v in verdicts if v.status in SHOWN
    ]
    return "\n".join([*lines, summary(verdicts)])


def _markdown(verdicts: Sequence[Verdict]) -> str:
    """What is not ok in a table; the rest folded away."""
    parts = [f"**samplerbench compare: {summary(verdicts)}**"]
    notable = [verdict for verdict in verdicts if verdict.status in SHOWN]
    rest = [verdict for verdict in verdicts if verdict.status not in SHOWN]
    if notable:
        parts.append(_table(notable))
    if rest:
        parts.append(f"<details><summary>{len(rest)} other figures</summary>\n\n{_table(rest)}\n\n</details>")
    return "\n\n".join(parts)


def _table(verdicts: Sequence[Verdict]) -> str:
    head = "| | cell | figure | baseline | current | why |\n|:--|:--|:--|--:|--:|:--|\n"
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
    """One test case a figure: a regression is a failure, an uncertain figure is skipped."""
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
