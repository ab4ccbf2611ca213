"""The workflows of the gate, ours and the one for other repositories: their steps, run as GitHub runs them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from samplerbench.regression.baseline import update

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parent.parent
OURS, OTHERS = ROOT / ".github" / "workflows" / "regression.yml", ROOT / "docs" / "regression.yml"
# `bench run` is a stand-in that leaves what it finds in ../measured; all else is the real command.
BENCH = f"""#!/bin/bash
if [ "$1" = run ]; then
    printf '%s\\n' "$@" > ../words
    if [ -d ../measured ]; then cp -r ../measured current; else echo "No method is named 'dimm'." >&2; fi
    exit $(cat ../code)
fi
exec {sys.executable} -m samplerbench "$@"
"""
# `gh api` lists the ids in ../comments, and notes what else it is asked for.
GH = """#!/bin/bash
if [[ "$*" == *--paginate* ]]; then cat ../comments; else echo "$3 $4" >> ../requests; cp comment.md ../comment.md; fi
"""


def steps(file: Path) -> list[dict]:
    return yaml.safe_load(file.read_text())["jobs"]["gate"]["steps"]


def replaced(text: str) -> str:
    """The text with GitHub's expressions filled in."""
    values = {"github.token": "t", "github.repository": "me/mine", "github.workflow": "regression",
              "github.event.pull_request.number": "7"}  # fmt: skip
    return re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda match: values[match[1]], text)


def wanted(condition: str, failed: bool) -> bool:
    """Whether a step runs, in a pull request whose package could be installed."""
    words = condition.removeprefix("${{").removesuffix("}}").strip() or "success()"
    values = {"!cancelled()": "True", "always()": "True", "success()": str(not failed), "&&": "and",
              "hashFiles('verdict.md')": repr("x" * Path("verdict.md").exists()),
              "steps.install.outcome": "'success'", "github.event_name": "'pull_request'"}  # fmt: skip
    for name, value in values.items():
        words = words.replace(name, value)
    return eval(words)


@pytest.fixture
def workflow(tmp_path, monkeypatch, make_rows):
    """workflow(): runs the steps after the installation in a repository with a baseline; what it left behind."""
    for name, text in {"bench": BENCH, "gh": GH}.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "repository").mkdir()
    monkeypatch.chdir(tmp_path / "repository")
    update(make_rows(tmp_path / "first"), Path("results/baseline"), "first")
    (tmp_path / "comments").write_text("")

    def run(code: int = 0) -> SimpleNamespace:  # code: the exit code of `bench run`
        (tmp_path / "code").write_text(str(code))
        failed = False
        for step in steps(OTHERS):
            if step.get("name") in (None, "Install") or not wanted(step.get("if", ""), failed):
                continue
            given = {name: replaced(value) for name, value in step.get("env", {}).items()}
            path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
            environment = {**os.environ, **given, "PATH": path, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
            done = subprocess.run(["bash", "-e", "-c", replaced(step["run"])], env=environment)
            failed |= done.returncode != 0 and not step.get("continue-on-error")
        read = {name: (tmp_path / name).read_text() for name in ("summary", "comment.md", "requests", "words")}
        read["comment"] = read.pop("comment.md")
        return SimpleNamespace(failed=failed, verdict=Path("verdict.md").read_text(), **read)

    return SimpleNamespace(run=run, folder=tmp_path, measured=tmp_path / "measured")


@pytest.fixture
def make_rows(cell, write_run):
    """make_rows(folder, **changes): a run directory of one cell, with a report that shows a picture."""

    def make(folder: Path, quality: dict | None = None, **changes) -> Path:
        write_run(folder, cell("ddim", 3.0, **changes), **(quality or {}))
        (folder / "report.md").write_text("# Report\n\n![quality](pictures/quality.png)\n\nThe table.\n")
        return folder

    return make


def test_the_two_differ_in_what_they_install_and_measure_alone():
    ours, others = steps(OURS), steps(OTHERS)
    assert [step.get("name") for step in ours] == [step.get("name") for step in others]
    for one, other in zip(ours, others, strict=True):
        if one.get("name") not in ("Install", "Measure"):
            assert one == other
    assert not (ROOT / "requirements.txt").exists(), "pip's cache must not need a file that others do not have"
    assert all("constraints" not in json.dumps(step) for step in others)


def test_an_unchanged_run_passes_and_comments(workflow, make_rows):
    make_rows(workflow.measured)
    found = workflow.run()
    assert not found.failed
    assert "**samplerbench compare: 3 ok" in found.verdict
    assert found.comment.startswith("<!-- samplerbench: regression -->\n**samplerbench compare: 3 ok")
    assert found.requests == "POST repos/me/mine/issues/7/comments\n"
    assert found.summary.startswith(found.verdict)
    assert "The table." in found.summary
    assert "![" not in found.summary, "the summary has no pictures to show"
    assert Path("verdict.xml").read_text().startswith("<?xml")


def test_a_crash_is_a_verdict(workflow, make_rows):
    make_rows(workflow.measured, status="failed", error="RuntimeError: boom")
    found = workflow.run(code=1)
    assert found.failed
    assert "RuntimeError: boom" in found.comment
    assert 'failures="1"' in Path("verdict.xml").read_text()


def test_a_run_under_another_protocol_says_so(workflow, make_rows):
    make_rows(workflow.measured, {"samples": 50}, protocol="q")
    found = workflow.run()
    assert found.failed
    assert "no verdict" in found.comment
    assert "different protocols" in " ".join(found.comment.split())
    assert not Path("verdict.xml").exists(), "an empty file is no JUnit"


def test_a_run_that_never_started_says_so(workflow):
    found = workflow.run(code=2)
    assert found.failed
    assert "No method is named 'dimm'." in found.comment
    assert found.verdict in found.summary


def test_its_own_earlier_comment_is_edited(workflow, make_rows):
    make_rows(workflow.measured)
    (workflow.folder / "comments").write_text("11\n12\n")
    assert workflow.run().requests == "PATCH repos/me/mine/issues/comments/12\n"


def test_options_reach_the_command_as_they_are_written(workflow, make_rows):
    """Brackets are a glob, which matches this file."""
    make_rows(workflow.measured)
    for name in ("my_samplere,ddim", "ddim"):
        Path(name).write_text("")
    words = workflow.run().words.splitlines()
    assert words[:3] == ["run", "--methods", "my_sampler[eta=0.5],ddim"]
    assert words[3:] == "--steps 5 --samples 250 --seeds 0-15 --batch-size 250 --output current".split()
