"""report.html, also in a browser."""

import json
import re
from pathlib import Path

import pytest

from samplerbench.report import html
from samplerbench.report.html import marked

PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const rows = () => [...document.querySelectorAll("#figures tbody tr")].filter(row => !row.hidden);
  const names = () => rows().map(row => row.cells[0].textContent);
  const head = text => [...document.querySelectorAll("#figures th")].find(th => th.textContent.startsWith(text));
  const found = {};
  head("FID").click(); found.up = names();
  head("FID").dispatchEvent(new KeyboardEvent("keydown", { key: " " })); found.down = names();
  const box = document.querySelector("input[data-table=figures]");
  const filter = text => { box.value = text; box.dispatchEvent(new Event("input")); return names().length; };
  found.filtered = [filter("c 50"), filter("0.6"), filter("0.600"), filter("failed story"), filter("")];
  const plots = [...document.querySelectorAll(".js-plotly-plot")];
  found.plots = plots.map(plot => plot.querySelectorAll(".scatterlayer .trace").length);
  found.widths = plots.map(plot => plot.querySelector(".main-svg").getBoundingClientRect().right);
  document.querySelector("[data-trace=d]").click();
  found.hidden = plots.map(plot => plot.data.find(trace => trace.name === "d").visible);
  found.ink = [...new Set(plots.map(plot => plot.layout.font.color)), getComputedStyle(document.body).color];
  found.page = [document.documentElement.scrollWidth, innerWidth];
  found.asked = performance.getEntriesByType("resource").map(entry => entry.name);
  parent.postMessage(JSON.stringify(found), "*");
}, 1000));
</script>
"""
FRAME = """<body><iframe src="page.html" style="width:390px;height:800px;border:0"></iframe><script>
addEventListener("message", event => { document.body.textContent = event.data; });
</script>"""
LIGHT, DARK = 1, 0


@pytest.fixture(scope="module")
def made(tmp_path_factory, write_run, cell, failed, bench_report) -> str:
    """The page of a run with fourteen methods, one of which failed."""
    folder = tmp_path_factory.mktemp("run")
    rows = [cell(name, 3.5 + index, steps=steps) for index, name in enumerate("abcdefghijklm") for steps in (10, 50)]
    rows.append(failed("broken", "RuntimeError: " + "a very long story " * 30))
    assert bench_report(write_run(folder, *rows)).exit_code == 0
    return (folder / "report.html").read_text()


def test_the_page_loads_nothing(made):
    without_library = re.sub(r"<head>.*</head>", "", made, flags=re.S)
    assert "http" not in without_library
    assert "cdn" not in made.lower()
    assert not re.search(r"<link|@import|<script[^>]+src|url\(\s*['\"]?http", made)
    assert set(re.findall(r"<img[^>]+src='(.{10})", made)) <= {"data:image"}


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_page_works_in_a_browser_on_a_phone(made, tmp_path, dump_dom, scheme):
    (tmp_path / "page.html").write_text(made.replace("</body>", PROBE + "</body>"))
    (tmp_path / "frame.html").write_text(FRAME)
    flags = f"--blink-settings=preferredColorScheme={scheme}", "--virtual-time-budget=8000"
    output = dump_dom(tmp_path / "frame.html", *flags)
    found = json.loads(re.search(r"<body>(\{.*\})</body>", output, re.S)[1].replace("&amp;", "&"))
    assert found["up"][:3] == ["real images", "a", "a"]
    assert found["up"][-2:] == ["noise", "broken"], "numbers as numbers, empty cells last"
    assert found["down"][0] == "noise"
    assert found["down"][-1] == "broken"
    assert found["filtered"] == [1, 0, 13, 1, 2 + 26 + 1], "a number is a whole cell"
    assert found["plots"] == [13 + 1 + 1] * 2, "methods, front and floor"
    assert found["hidden"] == [False, False]
    assert found["asked"] == []
    assert found["page"][0] <= found["page"][1] == 390, "the page does not scroll sideways"
    assert max(found["widths"]) <= 390
    ink, text = found["ink"]
    assert ink == text == ("rgb(0, 0, 0)" if scheme == LIGHT else "rgb(255, 255, 255)")


def test_short_counts_sort_by_size(tmp_path, dump_dom):
    script = (Path(html.__file__).parent / "templates/report.js").read_text()
    functions = script[: script.index("function sortBy")]
    sort = "['1.2M', '800', '12.5k', '', '2', '9.5k'].sort((a, b) => compareCells(a, b, false).order).join()"
    (tmp_path / "page.html").write_text(f"<body><script>{functions} document.body.textContent = {sort}</script></body>")
    assert "<body>2,800,9.5k,12.5k,1.2M,</body>" in dump_dom(tmp_path / "page.html")


def test_text_is_escaped_everywhere(tmp_path, write_run, cell, failed, bench_report):
    evil = "<script>alert('x')</script>"
    write_run(tmp_path, cell("a", 5.0, options=evil), cell("b", 6.0), failed("c", evil), dataset=evil)
    assert bench_report(tmp_path).exit_code == 0
    page = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page


def test_headings_of_columns_explain_them(made):
    (title,) = re.findall(r"<th class='right' tabindex='0' title='([^']*)'>FID \(digits-cnn\)</th>", made)
    assert title == "FID (digits-cnn): of 1000 images, p."


def test_markdown_in_sentences_becomes_html():
    assert marked("**a** < `b`") == "<b>a</b> &lt; <code>b</code>"
