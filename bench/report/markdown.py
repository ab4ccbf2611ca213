"""report.md: the report where Markdown is read."""

from collections.abc import Mapping

import pandas as pd

from samplerbench.report import text
from samplerbench.report.content import Content, Section
from samplerbench.report.provenance import joined
from samplerbench.report.table import DETAILS, alignment

REASON = 60  # characters of a failure in the table; it follows in full below


def markdown(report: Content, drawn: Mapping[str, str]) -> str:
    """The report, with its pictures (title -> PNG file)."""
    parts = [f"# {report.title}", report.summary]
    for section in report.sections:
        parts += _section(section)
    parts.append(table(report.table))
    failures = text.failures(report.table)
    parts += ["## Not measured", _list(failures)] if failures else []
    parts += [f"## {name}\n\n![{name}]({file})" for name, file in drawn.items()]
    for section in report.sections:
        if len(section.published):
            parts += ["## Published results", text.PUBLISHED, as_markdown(section.published)]
    parts += ["## How to read this", _list(report.reading), "## How to reproduce this", *_origins(report.origins)]
    if report.commands:
        lines = joined(command for _, command in report.commands)
        parts += ["The measured cells again, in as few commands as possible:", _block("\n".join(lines))]
    return "\n\n".join(filter(None, parts)) + "\n"


def table(shown: pd.DataFrame) -> str:
    """The rows as a table, without the columns that few readers need."""
    if shown.empty:
        return text.NOTHING
    shown = shown.drop(columns=DETAILS, errors="ignore")
    if "status" in shown:
        shown = shown.assign(status=shown["status"].map(_shortened))
    return as_markdown(shown)


def as_markdown(shown: pd.DataFrame) -> str:
    """Text cells as a table."""
    cells = shown.map(lambda cell: cell.replace("|", "\\|"))
    return cells.to_markdown(index=False, disable_numparse=True, colalign=[*map(alignment, shown)])


def _section(section: Section) -> list[str]:
    heading = [f"## {section.heading}"] if section.heading else []
    damaged = [f"Some images are missing: {' '.join(section.tiles.damaged)}"] if section.tiles.damaged else []
    return heading + [_list(section.verdicts)] * bool(section.verdicts) + damaged


def _shortened(reason: str) -> str:
    """A reason that fits into the table."""
    return reason if len(reason) <= REASON else reason[: REASON - 2].rstrip() + " …"


def _origins(origins: Mapping[str, dict[str, str]]) -> list[str]:
    parts = []
    for name, facts in origins.items():
        parts += [f"Run `{name}`:"] * bool(name)
        parts.append(_block(facts["command"]))
        parts.append("; ".join(f"{key} {value}" for key, value in facts.items() if key != "command" and value) + ".")
    return parts


def _block(lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines.splitlines())


def _list(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
