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
    head.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sortBy(table, i);
    });
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
