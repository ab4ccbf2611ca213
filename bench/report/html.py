"""report.html: the report as one file that opens offline, with charts, images and scripts inside."""

import base64
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from samplerbench.report import render_plotly, text
from samplerbench.report.chart import legend
from samplerbench.report.content import Content, Section
from samplerbench.report.gallery import TEACHER, Tile
from samplerbench.report.mosaic import mosaic
from samplerbench.report.published import OURS
from samplerbench.report.table import alignment

TEMPLATES = Path(__file__).parent / "templates"
LATE = ["grid", "recipe", "machine"]  # columns after the ranks, so that a phone shows the metrics first
LONG = 40  # characters from which a cell may break its line, once


def page(report: Content) -> str:
    """One HTML page that loads nothing from anywhere."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["marked"] = marked
    return environment.get_template("report.html.jinja").render(
        report=report,
        sections=[_section(section) for section in report.sections],
        results=_table(_reordered(report.table.loc[report.merit]), report),
        failures=text.failures(report.table),
        nothing=text.NOTHING,
        published_note=text.PUBLISHED,
        style=Markup(_asset("style.css")),
        script=Markup(_asset("report.js")),
        charts_script=Markup(_asset("charts.js")),
        library=Markup(render_plotly.library() if any(section.charts for section in report.sections) else ""),
    )


def marked(line: str) -> Markup:
    """Escape, and turn the little Markdown that reports use (** and `) into HTML."""
    line = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(line)))
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", line))


def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _section(section: Section) -> dict:
    """A section with its charts and images as HTML."""
    charts = [
        (chart.title, Markup(render_plotly.html(chart, f"chart{section.mark}-{index}")))
        for index, chart in enumerate(section.charts)
    ]
    return {
        "heading": section.heading,
        "mark": section.mark,
        "verdicts": section.verdicts,
        "damaged": section.tiles.damaged,
        "charts": charts,
        "legend": legend(section.charts),
        "gallery": [
            (name, name.startswith(TEACHER), [_tile(name, tile) for tile in line])
            for name, line in section.tiles.lines.items()
        ],
        "published": _table(section.published),
    }


def _tile(name: str, tile: Tile) -> dict[str, str]:
    file = BytesIO()
    Image.fromarray(mosaic(tile.images)).save(file, "png")
    source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    return {"caption": tile.caption, "alt": f"{name}, {tile.caption}".replace("\n", ", "), "source": source}


def _table(shown: pd.DataFrame, report: Content | None = None) -> dict:
    """A table's headings with their explanations, its rows of cells, and a filter that leaves some of them."""
    meanings, names = (report.meanings, report.names) if report else ({}, {})
    heads = [
        {"text": column, "side": alignment(column), "meaning": re.sub(r"[*`]", "", meanings.get(column, "")),
         "sorted": bool(report) and column.startswith("FID")}
        for column in shown
    ]  # fmt: skip
    records = zip(shown.index, shown.to_dict("records"), strict=True)
    rows = [_row(row) | {"name": names.get(index, "")} for index, row in records]
    return {"heads": heads, "rows": rows, "example": _example(shown)}


def _example(shown: pd.DataFrame) -> str:
    """A filter that leaves some rows of this table."""
    measured = shown[shown["NFE"] != ""] if "NFE" in shown else shown.iloc[:0]
    if measured.empty or "method" not in shown:
        return ""
    row = measured.iloc[len(measured) // 2]
    return f"{row['method'].partition('[')[0]} nfe:<={row['NFE']}"


def _row(row: Mapping[str, str]) -> dict:
    kind = "ours" if row.get("source") == OURS else row.get("status", "").partition(":")[0]  # failed or skipped
    cells = [
        {"text": text, "side": alignment(column), "long": len(text) > LONG and column != "method"}
        for column, text in row.items()
    ]
    return {"kind": kind, "cells": cells}


def _reordered(shown: pd.DataFrame) -> pd.DataFrame:
    # Where a method runs on several networks, they tell its rows apart.
    telling = {"recipe"} if "recipe" in shown and shown.groupby("method")["recipe"].nunique().max() > 1 else set()
    late = [column for column in LATE if column in shown and column not in telling]
    first = [column for column in shown if column not in late]
    after = first.index("Pareto") + 1 if "Pareto" in first else len(first)
    return shown[first[:after] + late + first[after:]]
