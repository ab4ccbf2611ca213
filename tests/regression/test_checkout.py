"""A commit and the working tree side by side, and where each finds its packages."""

import subprocess
import sys
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


def test_the_packages_of_a_plug_in_are_at_the_top_or_in_src(commit):
    commit({"src/plugin/__init__.py": "", "bench/__init__.py": "", "setup.py": "setup(name='plugin')"})
    with both_checkouts("HEAD") as checkouts:
        for checkout in checkouts:
            assert checkout.imports == (checkout.root, checkout.root / "src")


@pytest.mark.parametrize(
    "setup",
    [
        {"setup.py": 'FOLDERS = {"samplerbench": "bench", "samplerbench.methods": "methods"}'},
        {"pyproject.toml": '[tool.setuptools.package-dir]\nsamplerbench = "bench"\n'},
    ],
    ids=lambda files: next(iter(files)),
)
def test_samplerbench_itself_is_imported_from_each_checkout_under_its_own_name(commit, setup):
    packages = {
        "bench/__init__.py": "",
        "bench/store/__init__.py": "",
        "methods/__init__.py": "",
        "models/__init__.py": "",
    }
    commit(setup | packages)
    code = "import samplerbench.store, samplerbench.methods as m, samplerbench.models; print(m.__file__)"
    with both_checkouts("HEAD") as checkouts:
        for checkout in checkouts:
            (folder,) = checkout.imports
            result = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
            assert Path(result.stdout.strip()).resolve() == checkout.root / "methods/__init__.py", result.stderr


def test_a_checkout_holds_its_files_but_no_virtual_environment_inside_it(tmp_path, monkeypatch):
    checkout = Checkout("main", tmp_path / "tree", tmp_path / "tree", ())
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "tree" / ".venv"))
    assert checkout.holds(tmp_path / "tree" / "src" / "plugin.py")
    assert not checkout.holds(tmp_path / "tree" / ".venv" / "lib" / "numpy.py")
    assert not checkout.holds(tmp_path / "elsewhere.py")
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
