"""What a report contains, in whatever format it is written."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from samplerbench.report import text
from samplerbench.report.chart import Chart, charts
from samplerbench.report.gallery import Gallery, gallery
from samplerbench.report.looks import Look, looks
from samplerbench.report.provenance import commands, origin
from samplerbench.report.published import beside_ours
from samplerbench.report.table import CEILING, FLOOR, table
from samplerbench.report.trade_off import trade_off
from samplerbench.report.verdicts import verdicts
from samplerbench.store.results import Results


@dataclass(frozen=True)
class Section:
    """A report's part on one protocol. heading, mark: its name and the suffix of its files, if there are several."""

    heading: str
    mark: str
    verdicts: list[str]
    charts: list[Chart]
    tiles: Gallery
    published: pd.DataFrame


@dataclass(frozen=True)
class Content:
    """A report: a section for each protocol, the table of all rows, how to read it and how to reproduce it.

    reading: how to read the columns. meanings: the same by heading. origins: the facts of every run by its name.
    commands: every cell with the command that measures it again. merit: the rows of the table, the lowest FID first.
    names: of the methods in charts and galleries, by row of the table.
    """

    title: str
    summary: str
    table: pd.DataFrame
    sections: list[Section]
    reading: list[str]
    meanings: Mapping[str, str]
    origins: Mapping[str, dict[str, str]]
    commands: list[tuple[str, str]]
    merit: list[object]
    names: Mapping[object, str]


def content(results: Results) -> Content:
    """The report of these results."""
    groups, shown = results.groups, table(results)
    styles = looks(groups)
    return Content(
        _title(results),
        text.summary(results),
        shown,
        [_section(group, styles, several=len(groups) > 1) for group in groups],
        text.reading(results, shown),
        dict(text.notes(results, shown)),
        {name: origin(facts) for name, facts in results.facts.items()},
        commands(results.rows),
        _by_merit(results, shown),
        results.rows["name"].to_dict() if len(results.rows) else {},
    )


def _by_merit(results: Results, shown: pd.DataFrame) -> list[object]:
    """Real images first, then the rows by FID, those without one, and noise."""
    ordered = results.rows.sort_values("fid", na_position="last", kind="stable").index
    return [index for index in dict.fromkeys([FLOOR, *ordered, CEILING]) if index in shown.index]


def _title(results: Results) -> str:
    """What was run."""
    sweeps = [facts["sweep"] for facts in results.facts.values()]
    networks = [sweep.get("dataset") or f"a random network of the preset {sweep.get('preset')}" for sweep in sweeps]
    return "samplerbench: " + ", ".join(dict.fromkeys(networks))


def _section(group: Results, styles: Mapping[str, Look], several: bool) -> Section:
    heading = text.title(group) if several else ""
    mark = f"-{group.rows['protocol'].iloc[0]}" if several else ""
    return Section(heading, mark, verdicts(group), [*charts(group, styles), *trade_off(group, styles)], gallery(group), beside_ours(group))
