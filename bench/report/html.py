"""report.html: the report as one file that opens offline, with charts, pictures and library inside."""

import base64
import re
from html import escape
from io import BytesIO

import numpy as np
import pandas as pd
from PIL import Image

from samplerbench.report.charts import Entry, charts, legend, library
from samplerbench.report.content import Content, Section
from samplerbench.report.gallery import TEACHER, Gallery
from samplerbench.report.markdown import NOTHING, PUBLISHED, failures
from samplerbench.report.page_assets import SCRIPT, STYLE
from samplerbench.report.pictures import mosaic
from samplerbench.report.published import OURS
from samplerbench.report.table import alignment

ZOOM = "<p class='quiet mouse'>Drag in a chart to zoom, double-click to see all again.</p>"
LATE = ["grid", "recipe", "machine"]  # columns that stand after the ranks here, so that a phone shows the figures first
LONG = 40  # characters from which a cell may break its line, once


def page(report: Content) -> str:
    """One HTML page that asks for nothing from anywhere."""
    body = [f"<h1>{escape(report.title)}</h1><p>{_marked(report.summary)}</p>"]
    body += [_section(section) for section in report.sections]
    body += [
        "<h2>All figures</h2>",
        _table(_reordered(report.table), "figures") or f"<p>{NOTHING}</p>",
    ]
    if failures(report.table):
        body += ["<h2>What was not measured</h2>", _list(failures(report.table))]
    body += [_tiles(section.tiles, section.heading) for section in report.sections if section.tiles.lines]
    body += [_published(section) for section in report.sections if len(section.published)]
    body += ["<h2>How to read this</h2>", _list(report.reading)]
    body += ["<h2>How to repeat this</h2>", *_origins(report), _commands(report.commands)]
    charted = any(len(section.group.scored) + len(section.group.solved) for section in report.sections)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><title>{escape(report.title)}</title>"
        f"<style>{STYLE}</style>{f'<script>{library()}</script>' if charted else ''}</head>"
        f"<body>{''.join(body)}<script>{SCRIPT}</script></body></html>\n"
    )


def _section(section: Section) -> str:
    """The verdicts and the charts of one protocol."""
    heading = f"<h2>{escape(section.heading)}</h2>" if section.heading else ""
    verdicts = _list(section.verdicts) if section.verdicts else ""
    damaged = "".join(f"<p>Some images are missing: {escape(text)}</p>" for text in section.tiles.damaged)
    drawn = [f"<div><h3>{escape(name)}</h3>{chart}</div>" for name, chart in charts(section.group, section.mark)]
    shown = f"{_legend(section)}<div class='charts'>{''.join(drawn)}</div>{ZOOM}" if drawn else ""
    return f"<section>{heading}{verdicts}{damaged}{shown}</section>"


def _legend(section: Section) -> str:
    entries = "".join(map(_entry, legend(section.group)))
    every = "<button data-all='true'>all</button><button data-all='false'>none</button>"
    return f"<div class='legend' role='group' aria-label='What the charts show'>{entries}{every}</div>"


def _entry(entry: Entry) -> str:
    method = " data-method" if entry.method else ""
    return (
        f"<button data-trace='{escape(entry.name)}'{method} aria-pressed='{str(entry.shown).lower()}'>"
        f"<span style='color:{entry.colour}'>{entry.sign}</span> {escape(entry.text)}</button>"
    )


def _table(shown: pd.DataFrame, name: str) -> str:
    """A table to sort and to filter; empty without rows."""
    if shown.empty:
        return ""
    head = "".join(
        f"<th class='{alignment(column)}' tabindex='0' title='Sort'>{escape(column)}</th>" for column in shown
    )
    rows = (_row(row) for _, row in shown.iterrows())
    return (
        f"<input data-table='{name}' placeholder='Filter, as in: ddim 10' aria-label='Filter the rows'>"
        f"<span class='quiet' aria-live='polite'></span><div class='wide'><table id='{name}'>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _reordered(shown: pd.DataFrame) -> pd.DataFrame:
    late = [column for column in LATE if column in shown]
    first = [column for column in shown if column not in late]
    after = first.index("Pareto") + 1 if "Pareto" in first else len(first)
    return shown[first[:after] + late + first[after:]]


def _row(row: pd.Series) -> str:
    kind = "ours" if row.get("source") == OURS else "bad" if row.get("status") else ""
    cells = "".join(_cell(text, column) for column, text in row.items())
    return f"<tr class='{kind}'>{cells}</tr>" if kind else f"<tr>{cells}</tr>"


def _cell(text: str, column: str) -> str:
    if len(text) > LONG and column != "method":
        return f"<td class='left long' title='{escape(text)}'><div>{escape(text)}</div></td>"
    return f"<td class='{alignment(column)}'>{escape(text)}</td>"


def _tiles(tiles: Gallery, heading: str) -> str:
    lines = [_line(name, "".join(_tile(name, *tile) for tile in line)) for name, line in tiles.lines.items()]
    what = f", {heading}" if heading else ""
    return f"<h2>Samples, on the same noise{escape(what)}</h2><div class='gallery'>{''.join(lines)}</div>"


def _line(name: str, tiles: str) -> str:
    """A teacher has a line to itself, above its students."""
    above = " class='above'" if name.startswith(TEACHER) else ""
    return f"<div{above}><h3>{escape(name)}</h3><div class='tiles'>{tiles}</div></div>"


def _tile(name: str, caption: str, images: np.ndarray) -> str:
    file = BytesIO()
    Image.fromarray(mosaic(images)).save(file, "png")
    source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    alt = escape(f"{name}, {caption}".replace("\n", ", "))
    return f"<figure><img alt='{alt}' src='{source}'><figcaption>{escape(caption)}</figcaption></figure>"


def _published(section: Section) -> str:
    name = f"published{section.mark}"
    return f"<h2>Published figures</h2><p>{_marked(PUBLISHED)}</p>{_table(section.published, name)}"


def _origins(report: Content) -> list[str]:
    return [
        f"<details open><summary>{escape(f'Where the figures of {name} come from' if name else 'Provenance')}</summary>"
        f"<pre>{escape(facts['command'])}</pre><dl>"
        + "".join(
            f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>"
            for key, value in facts.items()
            if value and key != "command"
        )
        + "</dl></details>"
        for name, facts in report.origins.items()
    ]


def _commands(commands: list[tuple[str, str]]) -> str:
    lines = "".join(f"<h3>{escape(name)}</h3><pre>{escape(command)}</pre>" for name, command in commands)
    return f"<details><summary>The command of each cell</summary>{lines}</details>" if commands else ""


def _marked(text: str) -> str:
    """Escape, and turn the little Markdown that the report uses (** and `) into HTML."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text, quote=False))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", text)


def _list(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{_marked(line)}</li>" for line in lines) + "</ul>"
