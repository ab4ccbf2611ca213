"""What a report says: who wins, what ties, where it comes from; and that its page works offline, in a browser."""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.regression.compare import compare
from samplerbench.report import pictures
from samplerbench.report.charts import figures, legend
from samplerbench.report.latex import latex
from samplerbench.report.monotone import better_at
from samplerbench.report.page_assets import SCRIPT
from samplerbench.report.ranking import budgets, pareto, ranks
from samplerbench.report.reproduce import command
from samplerbench.report.table import table
from samplerbench.report.text import reading, verdicts
from samplerbench.store.results import load
from samplerbench.store.run_directory import COLUMNS, to_csv, typed
from samplerbench.sweep.plan import Sweep, expand, normalise

SPREAD = np.array([0.3, -0.2, 0.1, 0.0, -0.2])  # of the seed blocks, which all methods share: it pairs away
JITTER = {"a": np.array([1, -1, 1, -1, 0]), "b": np.array([-1, 0, 1, 1, -1]), "c": np.array([0, 1, -1, 1, -1])}


def cell(method: str, fid: float, steps: int = 10, blocks: int = 5, jitter: str = "a", **changes) -> dict:
    """A row as a run writes it, with blocks that share their noise."""
    values = (fid + SPREAD + 0.02 * JITTER[jitter])[:blocks]
    half = 2.776 * values.std(ddof=1) / blocks**0.5 if blocks > 1 else np.nan
    row = {
        "method": method, "options": "", "recipe": "ddpm", "dataset": "digits", "resolution": 8, "grid": "uniform",
        "steps": steps, "nfe": steps, "guidance": "", "seeds": ",".join(map(str, range(blocks))), "samples": 1000,
        "fid": values.mean(), "fid_ci_low": values.mean() - half, "fid_ci_high": values.mean() + half,
        "fid_floor": 3.0, "fid_floor_sd": 0.21, "fid_ceiling": 311.0,
        "scores_per_seed": json.dumps({"fid": values.tolist()}),
        "latency_s": 0.06 * steps, "latency_iqr_s": 0.001, "images_per_s": 4000 / steps, "overhead_ratio": 1.01,
        "device": "cpu", "dtype": "float32", "batch_size": 256, "compiled": "false", "status": "ok", "error": "",
        "cell": f"{method}{steps}", "protocol": "p", "commit": "c", "utc": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return row | changes


def failed(method: str, error: str) -> dict:
    row = cell(method, 1.0, status="failed", error=error)
    return row | dict.fromkeys("nfe fid fid_ci_low fid_ci_high latency_s images_per_s overhead_ratio".split(), np.nan)


def write_run(folder: Path, *rows: dict, device: str = "cpu (A)", **quality) -> Path:
    """A run directory with these rows, all under one protocol."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = typed(pd.DataFrame(list(rows)).reindex(columns=COLUMNS))
    (folder / "results.csv").write_text(to_csv(frame))
    facts = {
        "command": "bench run",
        "sweep": asdict(normalise(Sweep())),
        "environment": {"python": "3.11", "device": device, "threads": 2, "packages": {"samplerbench": "0.1.0"}},
        "checkpoints": {"ddpm": "shipped 123"},
        "protocol": rows[0]["protocol"] if rows else "p",
        "quality": {
            "dataset": "digits", "reference_images": 797, "floor_images": 1000, "extractor": "digits-cnn",
            "features": 64, "samples": 1000, "seeds": [0, 1, 2, 3, 4],
        } | quality,
        "commit": "c",
        "utc": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


def invoke(*arguments: object):
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


# Who is best


def test_the_front_is_what_nothing_beats_in_both():
    cost, value = [1, 2, 2, 3, 4, 4, 5, 6], [9, 7, 8, 7, 5, 5, 6, np.nan]
    assert pareto(cost, value).tolist() == [True, True, False, False, True, True, False, False]


def test_ranks_and_ties_come_from_paired_differences(tmp_path):
    """The blocks spread by 0.2, which would hide a difference of 0.1; on the same noise it is plain."""
    rows = cell("a", 5.0), cell("b", 5.005, jitter="b"), cell("c", 5.1, jitter="c"), cell("d", 7.0)
    group = load(write_run(tmp_path, *rows))
    (budget,) = budgets(group.scored)
    assert [standing.row["name"] for standing in budget.standings] == ["a", "b", "c", "d"]
    assert [standing.tied for standing in budget.standings] == [True, True, False, False]
    assert ranks(group.scored).tolist() == ["1–2", "1–2", "3", "4"]


def test_a_verdict_names_the_best_and_what_ties_and_how_far_the_next_is(tmp_path):
    rows = [cell("a", 5.0), cell("b", 5.005, jitter="b"), cell("c", 6.0, jitter="c")]
    first, second = verdicts(load(write_run(tmp_path, *rows, cell("a", 4.0, steps=50), cell("b", 4.5, steps=50))))
    best = (
        r"best at 10 NFE: `a` \(FID \(digits-cnn\) 5\.00 ± 0\.2\d\), tied with `b`; next is `c`, 1\.00 ± 0\.0\d+ worse"
    )
    assert re.fullmatch(best, first)
    assert second.startswith("best at 50 NFE: `a` (FID (digits-cnn) 4.00")


def test_one_seed_block_tells_no_tie_and_says_so(tmp_path):
    results = load(write_run(tmp_path, cell("a", 5.0, blocks=1), cell("b", 5.01, blocks=1)))
    best, remark = verdicts(results)
    assert best == "best at 10 NFE: `a` (FID (digits-cnn) 5.32), then `b` (5.33)"
    assert remark.startswith("one seed block: no error bars")
    assert "rank" not in table(results), "no ranks without error bars"


def test_a_budget_is_what_is_shared_and_a_cheaper_row_may_win_it(tmp_path):
    """Heun's 19 belong with the others' 20; 60 is one method's alone, and no verdict is given there."""
    heun = [cell("heun", 3.5, steps=10, nfe=19), cell("heun", 3.2, steps=30, nfe=60)]
    rows = [*heun, cell("a", 6.0), cell("b", 5.0), cell("a", 4.0, steps=20), cell("b", 3.9, steps=20)]
    found = budgets(load(write_run(tmp_path, *rows)).scored)
    assert [budget.nfe for budget in found] == [10, 20]
    assert found[1].standings[0].row["name"] == "heun"


# What it shows


def test_floor_ceiling_failures_and_noise_are_rows_of_every_table(tmp_path):
    reason = "RuntimeError: " + "a very long story " * 20 + "(x.py:3)"
    write_run(tmp_path, cell("a", 5.0, noisy="true"), cell("b", 6.0), failed("broken", reason))
    result = invoke(tmp_path)
    assert result.exit_code == 0
    assert "best at 10 NFE: a (FID (digits-cnn) 5.00" in result.output
    text, html = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert re.match(r"\| real images .* 3.00 ± 0.21 ", lines[1])
    assert re.match(r"\| noise .* 311 ", lines[-1])
    assert "1.010 (noisy)" in lines[2]
    (broken,) = [line for line in lines if line.startswith("| broken")]
    assert "failed: RuntimeError" in broken
    assert len(broken) == len(lines[0]) < 300, "the reason does not stretch the table"
    assert reason in text, "it stands below in full"
    assert "<tr class='bad'><td class='left'>broken</td>" in html
    assert ">311<" in html


def test_fid_is_never_plain_unless_it_is_inceptions(tmp_path):
    ours = write_run(tmp_path / "ours", cell("a", 5.0), cell("b", 6.0))
    theirs = write_run(tmp_path / "theirs", cell("a", 5.0), cell("b", 6.0), extractor="inception-v3-compat")
    assert "FID (digits-cnn)" in table(load(ours))
    assert "FID" not in table(load(ours))
    assert "FID" in table(load(theirs))
    assert not re.search(r"FID(?! \(digits-cnn\)|∞)", latex(load(ours)))


def test_published_figures_stand_beside_ours_where_they_belong(tmp_path, monkeypatch):
    cifar = [cell("ddim", fid, steps=steps, dataset="cifar10") for steps, fid in ((10, 15.0), (50, 5.0))]
    write_run(tmp_path / "cifar", *cifar, dataset="cifar10", extractor="inception-v3-compat")
    write_run(tmp_path / "digits", cell("ddim", 5.0), cell("flow", 6.0))
    for run in ("cifar", "digits"):
        assert invoke(tmp_path / run).exit_code == 0
    text = (tmp_path / "cifar/report.md").read_text()
    rows = text[text.index("## Published figures") :].split("\n\n")[2].splitlines()
    ours = next(index for index, row in enumerate(rows) if "this report" in row and " 15.0 " in row)
    assert any("arXiv 2010.02502" in row and "| 10 |" in " ".join(row.split()) for row in rows[ours - 6 : ours + 7])
    assert "not comparable with ours" in " ".join(text.split())
    assert "arXiv 2010.02502" in (tmp_path / "cifar/report.html").read_text()
    assert "Published" not in (tmp_path / "digits/report.md").read_text()

    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/published").mkdir(parents=True)
    (tmp_path / "results/published/cifar10.csv").write_text("method,fid\nx,1\n")
    refused = invoke("cifar")
    assert refused.exit_code == 2
    assert "no table of published figures" in " ".join(refused.output.split())


def test_latex_is_balanced_escaped_and_bold_where_it_ties(tmp_path):
    tied = cell("pf_ode", 5.0), cell("b", 5.005, jitter="b", options="x=50%")
    rows = *tied, cell("c", 6.0), failed("broken", "no & #")
    result = invoke(write_run(tmp_path, *rows), "--format", "latex")
    assert result.exit_code == 0
    text = result.output
    assert not (tmp_path / "report.md").exists(), "it only prints"
    comments = [line for line in text.splitlines() if line.startswith("%")]
    assert any("Protocol p:" in line and "samplerbench 0.1.0" in line for line in comments)
    body = [line for line in text.splitlines() if not line.startswith("%")]
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", body[0])
    rows = [line for line in body if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    assert body[-1] == r"\end{tabular}"
    assert text.count("{") == text.count("}")
    assert not re.search(r"(?<!\\)[_#%±]", "\n".join(body))
    assert text.count("$") == 2 * text.count(r"$\pm$")
    bold = [line.split(" & ")[0] for line in rows if r"\textbf" in line]
    assert bold == [r"pf\_ode", r"b[x=50\%]"]
    assert any(line.startswith("broken & ") and "failed" in line for line in rows)


# Where it comes from


@pytest.mark.parametrize(
    "options",
    [
        {"methods": "ddim[eta=0.5]", "steps": "7", "grid": "quadratic", "samples": 80, "seeds": "0-2,5"},
        {"methods": "pf_ode", "steps": "3", "recipe": "flow", "batch_size": 32, "metrics": "fid,kid", "timing": False},
        {"methods": "flow[solver=dopri5,rtol=0.01,atol=0.01]", "weights": "my weights", "data_root": "d"},
        {"methods": "flow[solver=heun]", "nfe": "10", "dtype": "bfloat16", "compile": True, "device": "cpu"},
        {"methods": "heun", "nfe": "9", "guidance": "cfg[low=0.1,weight=3]", "metrics": "class_accuracy"},
        {"methods": "ddpm", "steps": "1", "preset": "cifar10", "quality": False, "batch_size": 8},
    ],
    ids=lambda options: options["methods"],
)
def test_the_command_of_a_cell_parses_back_to_that_cell(options):
    sweep = normalise(Sweep(**options))
    (job,) = expand(sweep)
    row = {
        "method": job.method.name, "options": job.method.options, "recipe": job.recipe, "grid": job.grid or "",
        "steps": job.steps, "dtype": sweep.dtype, "compiled": str(sweep.compile).lower(),
        "guidance": str(job.guidance or ""), "seeds": ",".join(map(str, sweep.seeds)) if sweep.quality else "",
        "samples": sweep.samples,
        "batch_size": min(sweep.batch_size, sweep.samples if sweep.quality else sweep.batch_size),
    }  # fmt: skip
    line = command(row, json.loads(json.dumps(asdict(sweep))))
    words = shlex.split(line)
    assert words[:2] == ["bench", "run"]
    parsed = main.commands["run"].make_context("run", words[2:]).params
    again = normalise(Sweep(**{name: value for name, value in parsed.items() if value is not None}))
    assert expand(again) == [job]
    asked = {"steps": None, "nfe": None, "grid": None, "recipe": None}
    assert replace(again, **asked) == replace(sweep, **asked)


def test_the_row_is_believed_where_run_json_tells_of_a_later_command():
    row = cell("ddim", 5.0, steps=10, grid="quadratic", samples=500)
    line = command(row, json.loads(json.dumps(asdict(normalise(Sweep(methods="flow", steps="3"))))))
    assert line == "bench run --methods ddim --steps 10 --grid quadratic --samples 500 --seeds 0-4"


def test_a_row_of_a_sweep_over_grids_is_repeated_on_its_own_grid():
    sweep = json.loads(
        json.dumps(asdict(normalise(Sweep(methods="ddim", steps="10", grid="default,logsnr,karras[rho=5]"))))
    )
    lines = [
        command(cell("ddim", 5.0, blocks=1, grid=grid), sweep) for grid in ("uniform", "logsnr", "karras[rho=5.0]")
    ]
    assert [line.removeprefix("bench run --methods ddim --steps 10") for line in lines] == [
        "", " --grid logsnr", " --grid 'karras[rho=5.0]'",
    ]  # fmt: skip


# Several runs


def test_runs_are_merged_and_their_rows_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("a/run"), cell("ddim", 5.0), cell("flow", 6.0, jitter="b"))
    write_run(Path("b/run"), cell("ddim", 5.5, jitter="c"), device="cuda (H100)")
    assert invoke("a/run", "b/run", "--output", "both").exit_code == 0
    text = Path("both/report.md").read_text()
    assert "3 cells measured. From 2 runs: `a-run`, `b-run`." in text
    assert "different machines: their seconds do not compare" in text
    assert "best at 10 NFE: `ddim, a-run`" in text
    assert "against time on cuda (H100)" in text
    results = load(Path("both"))
    assert results.rows["run"].tolist() == ["a-run", "a-run", "b-run"]
    assert {"run", "machine"} <= set(table(results))
    assert "protocol" not in table(results)
    assert invoke("both").exit_code == 0, "the merged report can be made again"
    assert Path("both/report.md").read_text() == text


def test_seconds_of_machines_that_only_look_alike_share_no_front(tmp_path):
    alike = [cell("a", 5.0, latency_s=1.0, environment="e1"), cell("b", 6.0, latency_s=2.0, environment="e2")]
    results = load(write_run(tmp_path, *alike))
    assert results.rows["machine"].tolist() == ["cpu (A), 2 threads (e1)", "cpu (A), 2 threads (e2)"]
    assert table(results).loc[[0, 1], "Pareto"].tolist() == ["both", "time"]


def test_mixed_protocols_are_refused_by_name_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("a"), cell("ddim", 5.0), cell("flow", 6.0))
    other = {"samples": 500, "protocol": "q"}
    write_run(Path("b"), cell("ddim", 3.0, **other), cell("flow", 4.0, **other), samples=500, floor_images=500)
    refused = invoke("a", "b")
    assert refused.exit_code == 3
    assert "samples (1000 and 500)" in refused.output
    assert "floor" not in refused.output, "what follows from the samples need not be said"
    assert not Path("results").exists()

    assert invoke("a", "b", "--mixed").exit_code == 0
    text = Path("results/report/report.md").read_text()
    assert text.count("best at 10 NFE") == 2, "one verdict within each protocol"
    shown = table(load(Path("results/report")))
    assert shown.loc[[0, 1, 2, 3], "Pareto"].tolist() == ["both", "", "both", ""]
    assert shown.loc[[0, 3], "protocol"].tolist() == ["p", "q"]


def test_what_cannot_be_reported_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(Path("a"), cell("ddim", 5.0))
    Path("foreign.csv").write_text("a,b\n1,2\n")
    for name, facts in (("empty", "{}"), ("list", "[]"), ("damaged", "{")):
        write_run(Path(name), cell("ddim", 5.0))
        Path(name, "run.json").write_text(facts)
    write_run(Path("words"), cell("ddim", 5.0))
    csv = Path("words/results.csv")
    csv.write_text(csv.read_text().replace("256", "many"))
    wrong = [["foreign.csv"], ["nowhere"], ["empty"], ["list"], ["damaged"], ["words"], ["a", "a"], ["a", "empty"]]
    for arguments in [*wrong, ["a", "damaged", "--output", "a"], ["a", "--output", "foreign.csv"], []]:
        result = invoke(*arguments)
        assert result.exit_code == 2, (arguments, result.output, result.exception)
        assert "Traceback" not in result.output


def test_an_empty_run_and_damaged_images_are_said_not_raised(tmp_path):
    assert invoke(write_run(tmp_path / "empty")).exit_code == 0
    assert "Nothing has been measured yet" in (tmp_path / "empty/report.md").read_text()
    assert "Nothing has been measured yet" in (tmp_path / "empty/report.html").read_text()

    run = write_run(tmp_path / "run", cell("a", 5.0), cell("b", 6.0))
    (run / "raw").mkdir()
    (run / "raw/a10.npz").write_bytes(b"not a zip")
    np.savez(run / "raw/b10.npz", images=np.zeros((16, 1, 8, 8), np.uint8))
    assert invoke(run).exit_code == 0
    assert "raw/a10.npz is damaged" in (run / "report.md").read_text()
    assert (run / "report.html").read_text().count("<img ") == 1


# In a browser

PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const rows = () => [...document.querySelectorAll("#figures tbody tr")].filter(row => !row.hidden);
  const names = () => rows().map(row => row.cells[0].textContent);
  const head = text => [...document.querySelectorAll("#figures th")].find(th => th.textContent.startsWith(text));
  const found = {};
  head("FID").click(); found.up = names();
  head("FID").click(); found.down = names();
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
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LIGHT, DARK = 1, 0


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> str:
    """The page of a run with fourteen methods, one of which failed."""
    folder = tmp_path_factory.mktemp("run")
    rows = [cell(name, 3.5 + index, steps=steps) for index, name in enumerate("abcdefghijklm") for steps in (10, 50)]
    rows.append(failed("broken", "RuntimeError: " + "a very long story " * 30))
    assert invoke(write_run(folder, *rows)).exit_code == 0
    return (folder / "report.html").read_text()


def browse(made: str, folder: Path, scheme: int) -> dict:
    """What the probe finds in the page at the width of a phone."""
    (folder / "page.html").write_text(made.replace("</body>", PROBE + "</body>"))
    (folder / "frame.html").write_text(FRAME)
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --dump-dom"
    own = [f"--blink-settings=preferredColorScheme={scheme}", f"--user-data-dir={folder / 'user'}"]
    line = [BROWSER, *flags.split(), *own, "--virtual-time-budget=8000", f"file://{folder}/frame.html"]
    output = subprocess.run(line, capture_output=True, text=True, timeout=120).stdout
    return json.loads(re.search(r"<body>(\{.*\})</body>", output, re.S)[1].replace("&amp;", "&"))


def test_the_page_asks_for_nothing(made):
    without_library = re.sub(r"<head>.*</head>", "", made, flags=re.S)
    assert "http" not in without_library
    assert "cdn" not in made.lower()
    assert not re.search(r"<link|@import|<script[^>]+src|url\(\s*['\"]?http", made)
    assert set(re.findall(r"<img[^>]+src='(.{10})", made)) <= {"data:image"}


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_page_works_in_a_browser_on_a_phone(made, tmp_path, scheme):
    found = browse(made, tmp_path, scheme)
    assert found["up"][:3] == ["real images", "a", "a"]
    assert found["up"][-2:] == ["noise", "broken"], "numbers as numbers, nothing last"
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


def test_grids_of_one_method_are_told_apart_wherever_rows_are_named(tmp_path):
    own = {"grid": "uniform", "own_grid": "true"}
    rows = [cell("a", 5.0, **own), cell("a", 4.0, jitter="b", grid="logsnr", own_grid="false", cell="x")]
    results = load(write_run(tmp_path, *rows, cell("b", 6.0, jitter="c", grid="logsnr", own_grid="true")))
    assert results.rows["name"].tolist() == ["a, uniform (own)", "a, logsnr", "b"]
    assert [c for c in table(results)["grid"] if c] == ["uniform (own)", "logsnr", "logsnr (own)"]
    assert verdicts(results)[0].startswith("best at 10 NFE: `a, logsnr` (")
    assert ranks(results.scored).tolist() == ["2", "1", "3"]
    assert "(own)" in reading(results, [])[1]
    assert [entry.name for entry in legend(results) if entry.method] == ["a, uniform (own)", "a, logsnr", "b"]
    judged = compare(results.rows, results.rows)
    assert {verdict.cell for verdict in judged} == {"a, 10 steps, uniform, ddpm", "a, 10 steps, logsnr, ddpm",
                                                    "b, 10 steps, logsnr, ddpm"}  # fmt: skip


def test_rows_on_one_grid_are_not_marked(tmp_path):
    results = load(write_run(tmp_path, cell("a", 5.0, own_grid="true"), cell("b", 6.0, own_grid="false")))
    assert [c for c in table(results)["grid"] if c] == ["uniform", "uniform"]
    assert not any("(own)" in line for line in reading(results, []))


# What gets worse with more evaluations


def test_a_row_that_is_surely_worse_than_with_fewer_evaluations_is_marked_everywhere(tmp_path):
    falls = [cell("solver", fid, steps=steps) for steps, fid in ((1, 9.0), (2, 7.0), (4, 5.0))]
    falls.append(cell("solver", 5.005, steps=8, jitter="b"))
    rises = [cell("student", fid, steps=steps, jitter="b") for steps, fid in ((1, 6.0), (2, 5.0), (4, 5.5), (8, 4.0))]
    results = load(write_run(tmp_path, *falls, *rises))
    assert better_at(results.scored).dropna().to_dict() == {6: 2}, "the blocks' common 0.2 pairs away, 0.005 is noise"
    assert invoke(tmp_path).exit_code == 0
    shown = table(results)["worse than at"]
    assert shown[shown != ""].to_dict() == {6: "2 NFE"}
    text, html = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    assert "2 NFE" in text
    assert "more evaluations make it worse" in text
    assert "worse than with fewer evaluations" in html
    figure = pictures._against_evaluations(results)
    (ring,) = [line for line in figure.axes[0].lines if line.get_label().startswith("worse than")]
    assert (*ring.get_xdata(), *ring.get_ydata()) == (4, pytest.approx(5.5))
    (ring,) = [trace for _, chart in figures(results) for trace in chart.data if trace.name == "worse"]
    assert (*ring.x, *ring.y) == (4, pytest.approx(5.5))


def test_a_method_that_only_gets_better_is_not_marked_anywhere(tmp_path):
    results = load(write_run(tmp_path, *(cell("a", 9.0 - steps, steps=steps) for steps in (1, 2, 4))))
    assert "worse than at" not in table(results)
    assert not any("worse" in line for line in reading(results, table(results)))
    assert not any(
        line.get_label().startswith("worse") for line in pictures._against_evaluations(results).axes[0].lines
    )
    assert not any(entry.name == "worse" for entry in legend(results))


def test_with_one_block_only_what_is_plainly_worse_is_marked(tmp_path):
    """The floor of 3.0 has a deviation of 0.21, which makes 0.37 of a FID of 9.5, and 4 x 0.37 = 1.5."""
    ladder = [cell("a", fid, steps=steps, blocks=1) for steps, fid in ((1, 8.0), (2, 9.2), (4, 9.8), (8, 2.0))]
    assert better_at(load(write_run(tmp_path / "a", *ladder)).scored).dropna().to_dict() == {2: 1}
    unknown = [row | {"fid_floor_sd": np.nan} for row in ladder]
    assert better_at(load(write_run(tmp_path / "b", *unknown)).scored).isna().all(), "its noise is not known"


def test_noise_is_hardly_ever_marked():
    """Fifty methods whose FID is the same at five step counts, up to noise that does not pair away."""
    noise = np.random.default_rng(0).normal(5.0, 0.2, (50, 5, 5))
    rows = [
        cell(f"m{m}", 5.0, steps=2**n) | {"fid": values.mean(), "scores_per_seed": json.dumps({"fid": values.tolist()})}
        for m, ladder in enumerate(noise)
        for n, values in enumerate(ladder)
    ]
    frame = typed(pd.DataFrame(rows).reindex(columns=COLUMNS)).assign(run="")
    assert better_at(frame).notna().sum() <= 10, "2.5 % of 200 rows with something to compare"
    single = frame.assign(fid=noise[:, :, 0].ravel(), scores_per_seed="")
    assert better_at(single).notna().sum() <= 5


def test_only_rows_of_one_method_are_compared(tmp_path):
    """Another grid, guidance or recipe is another method; a student for each step count is one."""
    others = {"options": "eta=1.0", "grid": "logsnr", "guidance": "2", "recipe": "flow"}
    rows = [cell("a", 4.0, steps=2), *(cell("a", 9.0, steps=4, cell=k, **{k: other}) for k, other in others.items())]
    assert better_at(load(write_run(tmp_path / "a", *rows)).scored).isna().all()
    each = [
        cell("progressive", fid, steps=steps, recipe=f"progressive[steps={steps}]", own_grid="true")
        for steps, fid in ((1, 9.0), (2, 5.0), (4, 6.0))
    ]  # fmt: skip
    results = load(write_run(tmp_path / "b", *each))
    assert better_at(results.scored).dropna().to_dict() == {2: 2}
    assert set(results.rows["name"]) == {"progressive"}, "one line in every chart"
    own = results.scored.assign(grid=["uniform", "leading", "trailing"])
    assert better_at(own).dropna().to_dict() == {2: 2}, "its own grid is one policy, whatever it is called"
    assert better_at(own.assign(own_grid="")).isna().all()
    one = [cell("cd", 5.0, recipe="cd[loss=a]"), cell("cd", 6.0, recipe="flow")]
    names = load(write_run(tmp_path / "d", *one)).rows["name"]
    assert names.tolist() == ["cd, cd[loss=a]", "cd, flow"]
    two = [cell("cd", 5.0 + steps, steps=steps, recipe=f"cd[loss={x}]") for x in "ab" for steps in (1, 2)]
    results = load(write_run(tmp_path / "c", *two))
    assert set(results.rows["name"]) == {"cd, cd[loss=a]", "cd, cd[loss=b]"}
    assert better_at(results.scored).dropna().to_dict() == {1: 1, 3: 1}


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_the_page_sorts_short_counts_by_their_size(tmp_path):
    functions = SCRIPT[: SCRIPT.index("function sortBy")]
    sort = "['1.2M', '800', '12.5k', '', '2', '9.5k'].sort((a, b) => compareCells(a, b, false).order).join()"
    (tmp_path / "page.html").write_text(f"<body><script>{functions} document.body.textContent = {sort}</script></body>")
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --dump-dom".split()
    line = [BROWSER, *flags, f"--user-data-dir={tmp_path / 'user'}", f"file://{tmp_path}/page.html"]
    output = subprocess.run(line, capture_output=True, text=True, timeout=120).stdout
    assert "<body>2,800,9.5k,12.5k,1.2M,</body>" in output
