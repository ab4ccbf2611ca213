"""A commit and the working tree side by side, and what is left of them afterwards."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from samplerbench.errors import InputError
from samplerbench.regression.checkout import Checkout, both_checkouts


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


@pytest.fixture
def commit(git):
    def make(files: dict[str, str]) -> None:
        write(files)
        git("add", ".")
        git("commit", "-m", "files")

    return make


def test_the_commit_is_checked_out_beside_the_working_tree_which_stays_as_it_is(git, commit):
    commit({"value": "1"})
    write({"value": "2", "new": ""})
    with both_checkouts("HEAD") as (before, after):
        assert (before.root / "value").read_text() == "1"
        assert (after.root / "value").read_text() == "2"
        assert after.root == Path.cwd()
        assert (before.name, after.name) == ("HEAD", "the working tree")
    assert not before.root.exists()
    assert len(git("worktree", "list").splitlines()) == 1
    assert git("status", "--porcelain").splitlines() == [" M value", "?? new"]


def test_both_find_the_checkpoints_of_the_current_folder_which_git_ignores(commit, monkeypatch):
    commit({"inner/value": "1", ".gitignore": "checkpoints"})
    write({"inner/checkpoints/digits/flow.safetensors": "weights"})
    monkeypatch.chdir("inner")
    with both_checkouts("HEAD") as checkouts:
        found = [checkout.folder / "checkpoints/digits/flow.safetensors" for checkout in checkouts]
        assert [file.read_text() for file in found] == ["weights"] * 2
    assert Path("checkpoints/digits/flow.safetensors").exists()


def test_the_commit_is_removed_after_an_error(git, commit):
    commit({"value": "1"})
    with pytest.raises(KeyError), both_checkouts("HEAD") as (before, _):
        raise KeyError
    assert not before.root.exists()
    assert len(git("worktree", "list").splitlines()) == 1


def test_the_current_folder_is_found_in_both(commit, monkeypatch):
    commit({"value": "1"})
    write({"inner/new": ""})
    monkeypatch.chdir("inner")
    with both_checkouts("HEAD") as checkouts:
        assert [checkout.folder for checkout in checkouts] == [checkout.root / "inner" for checkout in checkouts]
        assert all(checkout.folder.is_dir() for checkout in checkouts), "also if the commit has no such folder"


def test_the_commit_is_removed_on_sigterm(git, commit):
    commit({"value": "1"})
    with pytest.raises(SystemExit) as exit, both_checkouts("HEAD") as (before, _):
        os.kill(os.getpid(), signal.SIGTERM)
    assert exit.value.code == 128 + signal.SIGTERM
    assert not before.root.exists()
    assert len(git("worktree", "list").splitlines()) == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_killed_process_left_is_removed_by_the_next(git, commit, tmp_path, kept):
    """Also if the system has cleared its temporary folder; but not the checkout of a process that still runs."""
    commit({"value": "1"})
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead, alive = (tmp_path / f"samplerbench-against-{pid}-x" / "tree" for pid in (process.pid, os.getpid()))
    for tree in (dead, alive):
        git("worktree", "add", "--detach", str(tree), "HEAD")
    if not kept:
        shutil.rmtree(dead.parent)
    with both_checkouts("HEAD"):
        assert str(dead) not in git("worktree", "list")
        assert str(alive) in git("worktree", "list")
    assert not dead.parent.exists()


def test_a_checkout_holds_its_files_but_no_virtual_environment_inside_it(tmp_path, monkeypatch):
    checkout = Checkout("main", tmp_path / "tree", tmp_path / "tree", ())
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "tree" / ".venv"))
    assert checkout.holds(tmp_path / "tree" / "src" / "plugin.py")
    assert not checkout.holds(tmp_path / "tree" / ".venv" / "lib" / "numpy.py")
    assert not checkout.holds(tmp_path / "elsewhere.py")
    assert replace(checkout, imports=(tmp_path / "installed",)).holds(tmp_path / "installed" / "plugin.py")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert checkout.holds(tmp_path / "tree" / "plugin.py"), "a checkout inside an environment is one"


def test_an_unknown_commit_is_refused(commit):
    commit({"value": "1"})
    with pytest.raises(InputError, match="no commit 'nowhere'"), both_checkouts("nowhere"):
        pass


def test_a_folder_outside_a_repository_is_refused(monkeypatch):
    monkeypatch.chdir("/")
    with pytest.raises(InputError, match="needs a git repository"), both_checkouts("HEAD"):
        pass


def test_the_variables_of_a_git_hook_do_not_mislead(commit, monkeypatch, tmp_path):
    commit({"value": "1"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    with both_checkouts("HEAD") as (before, _):
        assert (before.root / "value").read_text() == "1"
