"""report.md: the report where Markdown is read."""

from collections.abc import Mapping, Sequence

import pandas as pd

from samplerbench.report.content import Content, Section
from samplerbench.report.table import DETAILS, alignment

NOTHING = "Nothing has been measured yet."
REASON = 60  # characters of a failure in the table; the whole of it stands below


def markdown(report: Content, drawn: Mapping[str, str]) -> str:
    """The report, with its pictures (title -> PNG file)."""
    parts = [f"# {report.title}", report.summary]
    for section in report.sections:
        parts += _section(section)
    parts.append(table(report.table))
    if failures(report.table):
        parts += ["## What was not measured", listed(failures(report.table))]
    parts += [f"## {name}\n\n![{name}]({file})" for name, file in drawn.items()]
    parts += [_published(section) for section in report.sections if len(section.published)]
    parts += ["## How to read this", listed(report.reading), "## How to repeat this", *_origins(report.origins)]
    parts += [_block("\n".join(command for _, command in report.commands))] if report.commands else []
    return "\n\n".join(filter(None, parts)) + "\n"


def table(shown: pd.DataFrame) -> str:
    """The rows as a table, without what few readers need."""
    if shown.empty:
        return NOTHING
    shown = shown.drop(columns=DETAILS, errors="ignore")
    if "status" in shown:
        shown = shown.assign(status=shown["status"].map(shortened))
    return _table(shown)


def _table(shown: pd.DataFrame) -> str:
    cells = shown.map(lambda text: text.replace("|", "\\|"))
    return cells.to_markdown(index=False, disable_numparse=True, colalign=[*map(alignment, shown)])


def _section(section: Section) -> list[str]:
    heading = [f"## {section.heading}"] if section.heading else []
    damaged = [f"Some images are missing: {_joined(section.tiles.damaged)}"] if section.tiles.damaged else []
    return heading + [listed(section.verdicts)] * bool(section.verdicts) + damaged


def _joined(sentences: list[str]) -> str:
    return " ".join(sentences)


def failures(shown: pd.DataFrame) -> list[str]:
    """What was not measured and why, in full, since a table cuts the reasons short."""
    inside = shown[shown["status"] != ""].to_dict("records") if "status" in shown else []
    found: dict[tuple[str, str], list[str]] = {}
    for row in (*inside, *shown.attrs.get("left_out", ())):
        found.setdefault((row["method"], row["status"]), []).append(row.get("steps", ""))
    return [f"`{method}`{_steps(steps)}: {status}" for (method, status), steps in found.items()]


def _steps(counts: Sequence[str]) -> str:
    """`, 2, 4 and 8 steps`."""
    *others, last = dict.fromkeys(filter(None, counts)) or [""]
    return f", {', '.join(others)}{' and ' * bool(others)}{last} step{'s' * (last != '1')}" if last else ""


def shortened(text: str) -> str:
    """A reason that fits into a table."""
    return text if len(text) <= REASON else text[: REASON - 2].rstrip() + " …"


def _published(section: Section) -> str:
    return f"## Published figures\n\n{PUBLISHED}\n\n{_table(section.published)}"


PUBLISHED = (
    "By others, with other networks under other protocols: they show what is possible, and are not comparable with "
    "ours figure by figure. FID is by Inception in all of them; `second-hand` marks what was read in another's table."
)


def _origins(origins: Mapping[str, dict[str, str]]) -> list[str]:
    parts = []
    for name, facts in origins.items():
        parts += [f"Run `{name}`:"] * bool(name)
        parts.append(_block(facts["command"]))
        parts.append("; ".join(f"{key} {value}" for key, value in facts.items() if key != "command" and value) + ".")
    return [*parts, "Each cell by itself:"]


def _block(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def listed(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
