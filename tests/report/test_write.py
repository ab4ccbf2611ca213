"""Whole reports: what is written, from good runs and from damaged ones."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from samplerbench.report.write import write


def test_everything_that_gets_worse_is_marked_in_all_formats(tmp_path, write_run, cell):
    rises = [cell("student", fid, steps=steps, jitter="b") for steps, fid in ((1, 6.0), (2, 5.0), (4, 5.5), (8, 4.0))]
    assert write(write_run(tmp_path, *rises)) == tmp_path / "report.md"
    text, html = (tmp_path / "report.md").read_text(), (tmp_path / "report.html").read_text()
    assert "2 NFE" in text
    assert "more evaluations make it worse" in text
    assert "worse than with fewer evaluations" in html
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == ["latency.png", "quality.png"]
    assert "![FID (digits-cnn) against evaluations](pictures/quality.png)" in text


def test_published_results_are_shown_where_they_belong(tmp_path, write_run, cell, bench_report, monkeypatch):
    cifar = [cell("ddim", fid, steps=steps, dataset="cifar10") for steps, fid in ((10, 15.0), (50, 5.0))]
    write_run(tmp_path / "cifar", *cifar, dataset="cifar10", extractor="inception-v3-compat")
    write_run(tmp_path / "digits", cell("ddim", 5.0), cell("flow", 6.0))
    write_run(tmp_path / "other", *cifar, dataset="cifar10", extractor="dinov2-vit-l-14")
    for run in ("cifar", "digits", "other"):
        assert bench_report(tmp_path / run).exit_code == 0
    text = (tmp_path / "cifar/report.md").read_text()
    rows = text[text.index("## Published results") :].split("\n\n")[2].splitlines()
    ours = next(index for index, row in enumerate(rows) if "this report" in row and " 15.0 " in row)
    assert any("arXiv 2010.02502" in row and "| 10 |" in " ".join(row.split()) for row in rows[ours - 6 : ours + 7])
    assert "not comparable with ours" in " ".join(text.split())
    assert "arXiv 2010.02502" in (tmp_path / "cifar/report.html").read_text()
    for run in ("digits", "other"):
        assert "Published" not in (tmp_path / run / "report.md").read_text()

    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/published").mkdir(parents=True)
    (tmp_path / "results/published/cifar10.csv").write_text("method,fid\nx,1\n")
    refused = bench_report("cifar")
    assert refused.exit_code == 2
    assert "no table of published results" in " ".join(refused.output.split())


def test_what_cannot_be_reported_is_one_sentence(tmp_path, write_run, cell, bench_report, monkeypatch):
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
        result = bench_report(*arguments)
        assert result.exit_code == 2, (arguments, result.output, result.exception)
        assert "Traceback" not in result.output


def test_an_empty_run_and_damaged_images_are_reported_not_raised(tmp_path, write_run, cell, bench_report):
    assert bench_report(write_run(tmp_path / "empty")).exit_code == 0
    assert "Nothing has been measured yet" in (tmp_path / "empty/report.md").read_text()
    assert "Nothing has been measured yet" in (tmp_path / "empty/report.html").read_text()

    run = write_run(tmp_path / "run", cell("a", 5.0), cell("b", 6.0))
    (run / "raw").mkdir()
    (run / "raw/a10.npz").write_bytes(b"not a zip")
    np.savez(run / "raw/b10.npz", images=np.zeros((16, 1, 8, 8), np.uint8))
    assert bench_report(run).exit_code == 0
    assert "raw/a10.npz is damaged" in (run / "report.md").read_text()
    assert (run / "report.html").read_text().count("<img ") == 1


def test_a_report_needs_no_torch(tmp_path, write_run, cell):
    write_run(tmp_path, cell("a", 5.0), cell("b", 6.0))
    script = f"""
import sys
from pathlib import Path
from samplerbench.report.latex import latex
from samplerbench.report.write import write
from samplerbench.store.results import load
write(Path({str(tmp_path)!r}))
latex(load(Path({str(tmp_path)!r})))
assert "torch" not in sys.modules, "imported"
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    assert (tmp_path / "report.html").exists()
