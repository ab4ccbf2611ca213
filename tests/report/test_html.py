"""report.html, also in a browser."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs_version

from samplerbench.report import html, render_plotly
from samplerbench.report.html import marked

PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const rows = () => [...document.querySelectorAll("#figures tbody tr")].filter(row => !row.hidden);
  const names = () => rows().map(row => row.cells[0].textContent);
  const head = text => [...document.querySelectorAll("#figures th")].find(th => th.textContent.startsWith(text));
  const found = {};
  const plots = [...document.querySelectorAll(".js-plotly-plot")];
  found.plots = plots.map(plot => plot.querySelectorAll(".scatterlayer .trace").length);
  found.widths = plots.map(plot => plot.querySelector(".main-svg").getBoundingClientRect().right);
  found.up = names();
  head("FID").querySelector(".sort").click(); found.down = names();
  const box = document.querySelector("input[data-table=figures]");
  const filter = text => { box.value = text; box.dispatchEvent(new Event("input")); return names().length; };
  found.filtered = ["c nfe:50", "fid:<5", "steps:5", "story", "method:c fid:>4", box.placeholder.slice(14)].map(filter);
  filter("colour:red"); found.wrong = box.nextElementSibling.textContent;
  filter("c"); found.followed = plots.map(plot => plot.data.filter(trace => trace.visible === false).length);
  filter(""); found.address = location.hash;
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


def test_the_page_is_small(made):
    assert len(made) < 1.5e6


def test_the_vendored_library_is_of_the_version_that_the_figures_are_made_for():
    (version,) = re.findall(r"plotly\.js \(basic - minified\) v(\d+)\.", render_plotly.library()[:500])
    assert version == get_plotlyjs_version().partition(".")[0]


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
    assert found["up"][:3] == ["real images", "a", "a"], "the lowest FID first"
    assert found["up"][-2:] == ["broken", "noise"]
    assert found["down"][:2] == ["noise", "m"], "numbers as numbers"
    assert found["down"][-1] == "broken", "empty cells last"
    assert found["filtered"][:5] == [1, 1 + 2 * 2, 0, 1, 2]
    assert found["filtered"][5] > 0, "the example in the box leaves rows"
    assert found["wrong"].startswith('No column begins with "colour". There are method, steps, nfe, fid')
    assert found["followed"] == [12 + 1] * 2, "the charts follow the filter; the ceiling is hidden anyway"
    assert found["address"] == "#sort=fid+%28digits-cnn%29+descending"
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


def test_networks_that_tell_the_rows_of_a_method_apart_stand_beside_it():
    rows = {"method": ["real images", "a", "b"], "recipe": ["", "one", "two"], "FID": ["0", "1", "2"], "Pareto": ""}
    assert [*html._reordered(pd.DataFrame(rows))] == ["method", "FID", "Pareto", "recipe"]
    assert [*html._reordered(pd.DataFrame(rows | {"method": ["real images", "a", "a"]}))][:2] == ["method", "recipe"]


def test_headings_of_columns_explain_them(made):
    (meaning,) = re.findall(
        r"aria-label='What is FID \(digits-cnn\)\?'>\?</button><div popover id='[^']*'>([^<]*)", made
    )
    assert meaning == "FID (digits-cnn): of 1000 images, p."


def test_markdown_in_sentences_becomes_html():
    assert marked("**a** < `b`") == "<b>a</b> &lt; <code>b</code>"
