"""report.html: the report as one file that opens offline, with its pictures inside."""

import base64
from html import escape
from pathlib import Path

import pandas as pd

from bench.table import alignment

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
th.left, td.left { text-align: left; }
th { cursor: pointer; }
th[data-order=up]::after { content: " ▲"; }
th[data-order=down]::after { content: " ▼"; }
tbody tr:hover { background: var(--soft); }
input { font: inherit; padding: .3rem .6rem; margin: .5rem 0; width: min(20rem, 100%); box-sizing: border-box; }
img { max-width: 100%; height: auto; background: white; border-radius: 4px; }
pre { overflow-x: auto; background: var(--soft); padding: .7rem; border-radius: 4px; }
"""
SCRIPT = """
const body = document.querySelector("tbody"), heads = [...document.querySelectorAll("th")];
const value = (row, i) => {
  const text = row.cells[i].textContent, number = parseFloat(text);
  return isNaN(number) ? text : number;
};
heads.forEach((head, i) => head.addEventListener("click", () => {
  const down = head.dataset.order === "up";
  heads.forEach(other => delete other.dataset.order);
  head.dataset.order = down ? "down" : "up";
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a, i), value(b, i)];
    if (x === "" || y === "") return (x === "") - (y === "");
    return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
  });
  body.append(...rows);
}));
document.querySelector("input").addEventListener("input", event => {
  const words = event.target.value.toLowerCase().split(/\\s+/);
  for (const row of body.rows) row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
});
"""


def page(
    title: str, summary: str, shown: pd.DataFrame, drawn: dict[str, str], reading: str, repeat: str, folder: Path
) -> str:
    """One HTML page: a table to sort and filter, the pictures (title -> PNG file in `folder`), reading, repeating."""
    figures = "".join(
        f"<h2>{escape(name)}</h2><img alt='{escape(name)}' src='{_inline(folder / file)}'>"
        for name, file in drawn.items()
    )
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><title>{escape(title)}</title>"
        f"<style>{STYLE}</style><h1>{escape(title)}</h1><p>{_marked(summary)}</p>"
        f"<input placeholder='Filter, as in: ddim 10' aria-label='Filter the rows'>"
        f"<div class='wide'>{_table(shown)}</div>{figures}"
        f"<h2>How to read this</h2>{_list(reading)}<h2>How to repeat this</h2>{_paragraphs(repeat)}"
        f"<script>{SCRIPT}</script></html>\n"
    )


def _table(shown: pd.DataFrame) -> str:
    head = "".join(f"<th class='{alignment(column)}'>{escape(column)}</th>" for column in shown)
    rows = (
        "<tr>" + "".join(f"<td class='{alignment(column)}'>{escape(row[column])}</td>" for column in shown) + "</tr>"
        for _, row in shown.iterrows()
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _inline(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()


def _marked(text: str) -> str:
    """Escape, and turn the little Markdown that the report uses (** and `) into HTML."""
    for mark, tag in (("**", "b"), ("`", "code")):
        parts = (escape(text) if mark == "**" else text).split(mark)
        text = "".join(f"<{tag}>{part}</{tag}>" if index % 2 else part for index, part in enumerate(parts))
    return text


def _list(text: str) -> str:
    return "<ul>" + "".join(f"<li>{_marked(line.removeprefix('- '))}</li>" for line in text.splitlines()) + "</ul>"


def _paragraphs(text: str) -> str:
    command, rest = text.split("\n\n", 1)
    return f"<pre>{escape(command.strip())}</pre><p>{escape(rest)}</p>"
