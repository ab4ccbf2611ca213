"""Two commits measured in turn: in a small repository whose `bench run` writes what the commit says."""

import json
import subprocess

import pandas as pd
import pytest
from click.testing import CliRunner

from samplerbench.cli.main import main
from samplerbench.regression.commits import confirm, judge_speed
from samplerbench.regression.compare import Rule, Verdict
from samplerbench.store.run_directory import COLUMNS, typed

RUN = """
import sys
from pathlib import Path
output = Path(sys.argv[sys.argv.index("--output") + 1])
output.mkdir(parents=True)
with Path(__file__).parents[1].joinpath("log").open("a") as log:
    log.write("x")
(output / "results.csv").write_text(Path(__file__).with_name("rows.csv").read_text())
"""


def rows(latency: float, nfe: int = 10, fid: float = 3.0) -> pd.DataFrame:
    scores = json.dumps({"fid": [fid, fid + 0.1]})
    row = {"method": "ddim", "recipe": "ddpm", "steps": 10, "nfe": nfe, "fid": fid + 0.05, "scores_per_seed": scores,
           "latency_s": latency, "inner_ratio": 1.0, "status": "ok", "protocol": "p"}  # fmt: skip
    return typed(pd.DataFrame([row]).reindex(columns=COLUMNS))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit; `commit(frame)` writes what its `bench run` finds, and commits it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__main__.py").write_text(RUN)
    (tmp_path / ".gitignore").write_text("log\n")

    def git(*arguments):
        command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def commit(frame: pd.DataFrame):
        frame.to_csv(tmp_path / "bench" / "rows.csv", index=False)
        git("add", ".")
        git("commit", "-m", "rows")

    git("init")
    return commit


def against(*arguments: str):
    return CliRunner().invoke(main, ["compare", "--against", *arguments])


def test_the_working_tree_is_judged_against_a_commit(repository, tmp_path):
    repository(rows(1.0))
    rows(1.02).to_csv(tmp_path / "bench" / "rows.csv", index=False)  # not committed
    result = against("HEAD")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "4 ok")
    assert (tmp_path / "log").read_text() == "xx", "the other two runs were made in a worktree"
    worktrees = subprocess.run(["git", "worktree", "list"], capture_output=True, text=True).stdout
    assert len(worktrees.splitlines()) == 1, "the worktree is gone"

    rows(1.5, nfe=11, fid=4.0).to_csv(tmp_path / "bench" / "rows.csv", index=False)
    result = against("HEAD")
    assert result.exit_code == 1
    assert "nfe: rose from 10 to 11" in result.stdout
    assert "fid: 3.05 became 4.05" in result.stdout
    assert "latency_s: 1.500 and 1.500 times that of the other commit" in result.stdout
    assert "measured again: 1.500 and 1.500" in result.stdout
    assert against("HEAD", "--fail-on", "latency_s:60%", "--fail-on", "nfe:1", "--fail-on", "fid:50%").exit_code == 0


def test_wrong_input_is_one_sentence(repository, tmp_path, monkeypatch):
    repository(rows(1.0))
    for arguments, words in (
        (["nowhere"], "no commit 'nowhere'"),
        (["HEAD", "--run", "--steps '5"], "cannot be read as options"),
        (["HEAD", "--run", "--output x"], "--run takes no --output"),
    ):
        result = against(*arguments)
        assert result.exit_code == 2
        assert words in result.stderr
    (tmp_path / "bench" / "__main__.py").write_text("raise SystemExit('No method is named ddmi.')")
    result = against("HEAD")
    assert result.exit_code == 2
    assert "did not run" in result.stderr
    assert "No method is named ddmi." in result.stderr
    monkeypatch.chdir("/")
    assert "needs a git repository" in against("HEAD").stderr


def test_a_cell_is_slower_if_it_is_in_every_pair():
    rule = Rule("latency_s", relative=0.15)
    slow, mixed, equal = ([rows(1.2), rows(1.3)], [rows(1.2), rows(1.0)], [rows(1.1), rows(0.9)])
    found = [judge_speed([rows(1.0), rows(1.0)], after, [rule])[0].status for after in (slow, mixed, equal)]
    assert found == ["regression", "inconclusive", "ok"]


def test_a_regression_stands_only_if_it_is_confirmed():
    first = [Verdict("ddim", "latency_s", 1, 2, "regression", "a"), Verdict("flow", "latency_s", 1, 1, "ok", "b")]
    for again in ("ok", "inconclusive", "regression"):
        second = [Verdict("ddim", "latency_s", 1, 2, again, "c"), Verdict("flow", "latency_s", 1, 1, "regression", "d")]
        found = [verdict.status for verdict in confirm(first, second)]
        assert found == [again, "ok"]
