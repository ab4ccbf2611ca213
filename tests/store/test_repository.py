"""The repository that something was measured in."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from samplerbench.store import provenance
from samplerbench.store.provenance import commit
from samplerbench.store.repository import commit_of, measured_commit, repository


@pytest.fixture
def git(tmp_path, monkeypatch) -> Callable[..., str]:
    """Runs git in a new repository `mine`, which is the current folder."""
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")

    def run(*arguments: str) -> str:
        command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    run("init")
    return run


def test_it_is_that_of_the_current_folder_with_its_commit_and_whether_it_has_changes(git, monkeypatch):
    assert repository() is None, "before the first commit"
    Path("inner").mkdir()
    Path("inner/file").write_text("1")
    git("add", ".")
    git("commit", "-m", "one")
    commit = git("rev-parse", "--short=12", "HEAD")
    monkeypatch.chdir("inner")
    Path("untracked").write_text("")
    assert repository() == {"name": "mine", "commit": commit, "dirty": False}
    Path("file").write_text("2")
    assert repository() == {"name": "mine", "commit": commit, "dirty": True}
    assert commit_of(Path("file").resolve()) == f"{commit}+"
    assert commit_of(Path("untracked").resolve()) == "", "as a package that is installed inside a repository"


def test_there_is_none_outside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert repository() is None
    assert commit_of(tmp_path / "file") == ""


def test_the_commit_of_an_installed_copy_is_the_one_it_was_built_from(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "samplerbench" / "store" / "provenance.py"))
    (tmp_path / "samplerbench" / "store").mkdir(parents=True)
    commit.cache_clear()
    assert commit() == ""
    (tmp_path / "samplerbench" / "COMMIT").write_text("0123456789ab+\n")
    commit.cache_clear()
    assert commit() == "0123456789ab+"
    commit.cache_clear()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [({"repository": {"name": "mine", "commit": "abc", "dirty": True}}, "abc+"), ({"repository": None}, ""), ({}, "")],
)
def test_a_run_records_the_commit_of_the_user(tmp_path, facts, expected):
    (tmp_path / "run.json").write_text(json.dumps(facts))
    assert measured_commit(tmp_path) == expected
    assert measured_commit(tmp_path / "nowhere") == ""
