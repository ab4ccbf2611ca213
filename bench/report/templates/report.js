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

function sortBy(table, i, direction) {
  const head = table.tHead.rows[0].cells[i];
  const up = direction ? direction === "ascending" : head.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const { order, fixed } = compareCells(cellText(a, i), cellText(b, i), head.classList.contains("left"));
    return up || fixed ? order : -order;
  });
  table.tBodies[0].append(...rows);
}

const columnNames = table =>
  [...table.tHead.rows[0].cells].map(head => head.querySelector(".sort").textContent.toLowerCase());

// `fid:<3`, `nfe:>=10`, `steps:5` and `grid:karras`: a column by the beginning of its heading, numbers compared.
function fieldTest(table, field, operator, value) {
  const names = columnNames(table), i = names.findIndex(name => name.startsWith(field));
  if (i < 0) throw `No column begins with "${field}". There are ${names.join(", ")}.`;
  const wanted = numberIn(value);
  const compare = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b };
  if (operator in compare) return row => compare[operator](numberIn(cellText(row, i)), wanted);
  if (!isNaN(wanted) && /^[\d.]+[kMG]?$/.test(value)) return row => numberIn(cellText(row, i)) === wanted;
  return row => cellText(row, i).toLowerCase().includes(value);
}

// A word without a field begins a method's name; if it begins none, it is part of one, or of any cell.
function wordTest(table, word) {
  const method = row => cellText(row, 0).toLowerCase();
  const tests = [row => method(row).startsWith(word), row => method(row).includes(word)];
  const any = row => row.textContent.toLowerCase().includes(word);
  return tests.find(test => [...table.tBodies[0].rows].some(test)) ?? any;
}

function rowTest(table, term) {
  const [, field, operator, value] = /^([^:]+):(<=|>=|<|>|=?)(.+)$/.exec(term) ?? [];
  return field ? fieldTest(table, field, operator, value) : wordTest(table, term);
}

function filterRows(box) {
  const table = document.getElementById(box.dataset.table), rows = [...table.tBodies[0].rows];
  const terms = box.value.toLowerCase().split(/\s+/).filter(Boolean), note = box.nextElementSibling;
  try {
    const tests = terms.map(term => rowTest(table, term));
    for (const row of rows) row.hidden = !tests.every(test => test(row));
    const left = rows.filter(row => !row.hidden);
    note.textContent = terms.length ? `${left.length} of ${rows.length} rows` : "";
    const names = terms.length ? [...new Set(left.map(row => row.dataset.name).filter(Boolean))] : null;
    document.dispatchEvent(new CustomEvent("samplerbench:filter", { detail: { names } }));
  } catch (sentence) {
    if (typeof sentence !== "string") throw sentence;
    note.textContent = sentence;
  }
}

// The filter and the order of the main table are in the address, so that a view can be shared.
const main = document.getElementById("figures"), mainBox = document.querySelector("input[data-table=figures]");
function remember() {
  if (!main) return;
  const sorted = [...main.tHead.rows[0].cells].findIndex(head => head.hasAttribute("aria-sort"));
  const state = new URLSearchParams();
  if (mainBox.value) state.set("filter", mainBox.value);
  if (sorted >= 0) {
    const direction = main.tHead.rows[0].cells[sorted].getAttribute("aria-sort");
    state.set("sort", `${columnNames(main)[sorted]} ${direction}`);
  }
  history.replaceState(null, "", `#${state}`);
}
function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  const [, column, direction] = /^(.+) (ascending|descending)$/.exec(state.get("sort") ?? "") ?? [];
  if (column && columnNames(main).includes(column)) sortBy(main, columnNames(main).indexOf(column), direction);
  if (state.get("filter")) mainBox.value = state.get("filter");
  filterRows(mainBox);
}

for (const table of document.querySelectorAll("table")) {
  table.querySelectorAll(".sort").forEach((button, i) => button.addEventListener("click", () => {
    sortBy(table, i);
    remember();
  }));
}
for (const box of document.querySelectorAll("input[data-table]")) {
  box.addEventListener("input", () => { filterRows(box); remember(); });
}
// Verdicts and the methods in grey are open where there is room.
const roomy = matchMedia("(min-width: 60rem)").matches;
for (const part of document.querySelectorAll("details.verdicts")) part.open = roomy;
if (main) addEventListener("load", restore);
