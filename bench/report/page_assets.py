"""The style and the script of report.html."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --quiet: #777; }
@media (prefers-color-scheme: dark) { :root { --quiet: #999; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 84rem; margin: 0 auto; padding: 1rem; }
body { overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
ul { padding-left: 1.2rem; } li { margin: .2rem 0; }
code { background: var(--soft); padding: .05rem .3rem; border-radius: 3px; }
pre { overflow-x: auto; background: var(--soft); padding: .7rem; border-radius: 4px; overflow-wrap: normal; }
.quiet { color: var(--quiet); }
.wide { overflow-x: auto; max-height: 85vh; border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; font-size: .92rem; }
th, td { padding: .3rem .55rem; border-bottom: 1px solid var(--line); text-align: right; overflow-wrap: normal; }
th { position: sticky; top: 0; z-index: 1; background: Canvas; cursor: pointer; user-select: none; }
th:first-child, td:first-child { position: sticky; left: 0; background: Canvas; }
th:first-child { z-index: 2; }
th.left, td.left { text-align: left; }
td.long { white-space: normal; min-width: 20rem; }
td.long > div { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
tr.bad td { color: light-dark(#b3261e, #ff8a80); }
tr.ours td { font-weight: 600; }
th[aria-sort=ascending]::after { content: " ▲"; } th[aria-sort=descending]::after { content: " ▼"; }
tbody tr:hover td { background: color-mix(in srgb, Canvas 90%, GrayText); }
input { font: inherit; padding: .3rem .6rem; margin: .5rem .6rem .5rem 0; width: min(20rem, 100%); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(28rem, 100%), 1fr)); gap: 1rem; }
.charts > * { min-width: 0; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem; margin: .5rem 0; }
.legend button { font: inherit; font-size: .85rem; color: inherit; background: var(--soft);
  border: 1px solid var(--line); border-radius: 1rem; padding: .1rem .6rem; cursor: pointer; }
.legend button[aria-pressed=false] { opacity: .45; text-decoration: line-through; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19.5rem, 100%), 1fr)); gap: 0 1rem; }
.gallery > * { min-width: 0; }
.gallery > .above { grid-column: 1 / -1; }
.tiles { display: flex; gap: .6rem; overflow-x: auto; }
figure { margin: 0; flex: none; width: clamp(6.8rem, 28vw, 9rem); }
figure img { width: 100%; image-rendering: pixelated; background: white; border-radius: 3px; }
figcaption { font-size: .8rem; line-height: 1.3; white-space: pre-line; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .15rem 1rem; font-size: .92rem; }
dt { color: var(--quiet); } dd { margin: 0; }
@media (max-width: 40rem) {
  th, td { padding: .3rem .4rem; }
  td.left:first-child { white-space: normal; min-width: 6.5rem; max-width: 8rem; overflow-wrap: anywhere; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .3rem; }
}
@media (pointer: coarse) { .mouse { display: none; } }
details { margin: .6rem 0; } summary { cursor: pointer; font-weight: 600; }
"""

SCRIPT = r"""
const cellText = (row, i) => row.cells[i].textContent.trim();

// 1.2M and 12.5k are numbers too.
function numberIn(text) {
  const [, unit] = /^[\d.]+([kMG])\b/.exec(text) ?? [];
  return parseFloat(text) * ({ k: 1e3, M: 1e6, G: 1e9 }[unit] ?? 1);
}

// Numbers before words, nothing last; words as people sort them.
function compareCells(a, b, words) {
  if (!a || !b) return { order: (a === "") - (b === ""), fixed: true };
  const [x, y] = [numberIn(a), numberIn(b)];
  if (words || (isNaN(x) && isNaN(y))) return { order: a.localeCompare(b, undefined, { numeric: true }) };
  return { order: isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : x - y };
}

function sortBy(table, i) {
  const head = table.tHead.rows[0].cells[i], up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const { order, fixed } = compareCells(cellText(a, i), cellText(b, i), head.classList.contains("left"));
    return up || fixed ? order : -order;
  });
  table.tBodies[0].append(...rows);
}

// A number must be a whole cell (10 is not 0.610); anything else may stand anywhere in the row.
function matches(row, word) {
  if (!/^\d+(\.\d+)?$/.test(word)) return row.textContent.toLowerCase().includes(word);
  return [...row.cells].some(cell => cell.textContent.trim().split(" ")[0] === word);
}

function filterRows(box) {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...document.getElementById(box.dataset.table).tBodies[0].rows];
  for (const row of rows) row.hidden = !words.every(word => matches(row, word));
  const left = rows.filter(row => !row.hidden).length;
  box.nextElementSibling.textContent = words.length ? `${left} of ${rows.length} rows` : "";
}

for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    head.addEventListener("click", () => sortBy(table, i));
    head.addEventListener("keydown", event => { if (event.key === "Enter") sortBy(table, i); });
  });
}
for (const box of document.querySelectorAll("input[data-table]")) box.addEventListener("input", () => filterRows(box));

function show(section, button, shown) {
  button.setAttribute("aria-pressed", shown);
  for (const chart of section.querySelectorAll(".js-plotly-plot")) {
    const traces = chart.data.map((trace, i) => [trace.name, i]).filter(([name]) => name === button.dataset.trace);
    if (traces.length) Plotly.restyle(chart, { visible: shown }, traces.map(([, i]) => i));
  }
}
for (const section of document.querySelectorAll("section")) {
  const entries = [...section.querySelectorAll("[data-trace]")];
  for (const button of entries) {
    button.addEventListener("click", () => show(section, button, button.getAttribute("aria-pressed") !== "true"));
  }
  for (const button of section.querySelectorAll("[data-all]")) {
    const methods = entries.filter(entry => "method" in entry.dataset);
    const shown = button.dataset.all === "true";
    button.addEventListener("click", () => methods.forEach(entry => show(section, entry, shown)));
  }
}

// The charts take the page's ink, which follows the reader's light or dark mode.
const plots = [...document.querySelectorAll(".js-plotly-plot")];
function ink() {
  if (!plots.length) return;
  const style = getComputedStyle(document.body);
  const paper = getComputedStyle(document.querySelector("th")).backgroundColor;
  const hover = { "hoverlabel.bgcolor": paper, "hoverlabel.font.color": style.color };
  for (const plot of plots) Plotly.relayout(plot, { "font.color": style.color, ...hover });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ink);
ink();

// A finger scrolls the page, a mouse may zoom; a chart is as wide as its box, whatever changes that.
if (matchMedia("(pointer: fine)").matches) for (const plot of plots) Plotly.relayout(plot, { dragmode: "zoom" });
const fit = new ResizeObserver(seen => seen.forEach(box => Plotly.Plots.resize(box.target.firstElementChild)));
for (const plot of plots) fit.observe(plot.parentElement);
"""
