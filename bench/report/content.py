"""What stands in a report, whatever it is written in."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from samplerbench.report import text as sentences
from samplerbench.report.gallery import Gallery, gallery
from samplerbench.report.published import beside_ours
from samplerbench.report.reproduce import commands, origin
from samplerbench.report.table import table
from samplerbench.store.results import Results


@dataclass(frozen=True)
class Section:
    """What is told of the rows of one protocol. heading: what the protocol is, where there are several."""

    heading: str
    mark: str
    group: Results
    verdicts: list[str]
    tiles: Gallery
    published: pd.DataFrame


@dataclass(frozen=True)
class Content:
    """A report: the table of all rows, a section for each protocol, how to read it and how to repeat it."""

    title: str
    summary: str
    table: pd.DataFrame
    sections: list[Section]
    reading: list[str]
    origins: Mapping[str, dict[str, str]]
    commands: list[tuple[str, str]]


def content(results: Results) -> Content:
    """Everything that a report of these results says."""
    groups, shown = results.groups, table(results)
    return Content(
        title(results),
        sentences.summary(results),
        shown,
        [_section(group, several=len(groups) > 1) for group in groups],
        sentences.reading(results, shown.columns),
        {name: origin(facts) for name, facts in results.facts.items()},
        commands(results.rows, results.facts),
    )


def title(results: Results) -> str:
    """The heading: what was run."""
    sweeps = [facts["sweep"] for facts in results.facts.values()]
    networks = [sweep.get("dataset") or f"a random network of the preset {sweep.get('preset')}" for sweep in sweeps]
    return "samplerbench: " + ", ".join(dict.fromkeys(networks))


def _section(group: Results, several: bool) -> Section:
    heading, mark = "", ""
    if several:
        heading, mark = sentences.heading(group), f"-{group.rows['protocol'].iloc[0]}"
    return Section(heading, mark, group, sentences.verdicts(group), gallery(group), beside_ours(group))
