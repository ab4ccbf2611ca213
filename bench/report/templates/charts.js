// Show and hide lines, emphasise one, follow the filter of the table.
const plots = [...document.querySelectorAll(".js-plotly-plot")];
const sections = [...document.querySelectorAll("section")];
const entriesOf = section => [...section.querySelectorAll("[data-trace]")];

function restyle(section, names, change) {
  for (const chart of section.querySelectorAll(".js-plotly-plot")) {
    const traces = chart.data.flatMap((trace, i) => (names.has(trace.name) ? [i] : []));
    if (traces.length) Plotly.restyle(chart, change, traces);
  }
}

function show(section, button, shown) {
  button.setAttribute("aria-pressed", shown);
  restyle(section, new Set([button.dataset.trace]), { visible: shown });
}

function showOnly(section, chosen) {
  for (const entry of entriesOf(section).filter(entry => "method" in entry.dataset)) {
    show(section, entry, chosen === null || chosen.includes(entry.dataset.trace));
  }
}

// A line in full strength, whatever it was.
function emphasise(section, name, on) {
  for (const chart of section.querySelectorAll(".js-plotly-plot")) {
    chart.data.forEach((trace, i) => {
      if (trace.name !== name) return;
      trace.rest ??= { opacity: trace.opacity, width: trace.line?.width };
      const { opacity, width } = trace.rest;
      Plotly.restyle(chart, { opacity: on ? 1 : opacity, "line.width": on ? 4 : width }, [i]);
    });
  }
}

for (const section of sections) {
  for (const button of entriesOf(section)) {
    const name = button.dataset.trace, toggle = () => show(section, button, button.getAttribute("aria-pressed") !== "true");
    button.addEventListener("click", event => (event.shiftKey ? showOnly(section, [name]) : toggle()));
    button.addEventListener("dblclick", () => showOnly(section, [name]));
    for (const [kind, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) {
      button.addEventListener(kind, () => emphasise(section, name, on));
    }
  }
  for (const button of section.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => showOnly(section, button.dataset.all === "true" ? null : []));
  }
}
document.addEventListener("samplerbench:filter", ({ detail }) => {
  for (const section of sections) showOnly(section, detail.names);
});

// The charts take the page's ink, which follows the reader's light or dark mode.
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
