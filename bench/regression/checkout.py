"""Two checkouts of a repository: a commit in a temporary folder, and the working tree."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from samplerbench.errors import InputError

# Where git looks before the current folder, as it does inside a hook.
GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


@dataclass(frozen=True)
class Checkout:
    """A checkout of a repository.

    name: in messages. root: its folder. folder: the folder in it that corresponds to the user's current folder.
    imports: the folders that its packages are imported from.
    """

    name: str
    root: Path
    folder: Path
    imports: tuple[Path, ...]

    def holds(self, file: Path) -> bool:
        """Whether a file is part of the checkout, rather than of a virtual environment inside it."""
        file = file.resolve()
        if not file.is_relative_to(self.root):
            return False
        environments = (Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix))
        return not any(env.is_relative_to(self.root) and file.is_relative_to(env) for env in environments)


@contextmanager
def both_checkouts(reference: str) -> Iterator[tuple[Checkout, Checkout]]:
    """A commit, checked out into a temporary folder, and the working tree of the current folder, as it is.

    reference: anything that git accepts as a commit. Raises InputError if it does not, or outside a repository.
    """
    commit = _commit(reference)
    root, prefix = Path(_git("rev-parse", "--show-toplevel")).resolve(), _git("rev-parse", "--show-prefix")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        tree = folder / "tree"
        _git("worktree", "add", "--detach", str(tree), commit)
        try:
            (tree / prefix).mkdir(parents=True, exist_ok=True)
            yield (
                Checkout(reference, tree, tree / prefix, _imports(tree, folder / "commit")),
                Checkout("the working tree", root, root / prefix, _imports(root, folder / "working-tree")),
            )
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _imports(root: Path, temporary: Path) -> tuple[Path, ...]:
    """The folders from which a checkout's packages are imported: its top and src/ for a plug-in's repository.

    Those of samplerbench itself have other names in the repository, and get links in a temporary folder.
    """
    if not _is_samplerbench(root):
        return root, root / "src"
    package = temporary / "samplerbench"
    package.mkdir(parents=True)
    for source in (*(root / "bench").iterdir(), root / "methods", root / "models"):
        (package / source.name).symlink_to(source)
    return (temporary,)


def _is_samplerbench(root: Path) -> bool:
    """Whether the set-up of a repository makes its folder bench/ the package samplerbench."""
    files = [file for file in (root / "setup.py", root / "pyproject.toml") if file.is_file()]
    mapped = any(re.search(r"\bsamplerbench\W+bench\b", file.read_text(encoding="utf-8")) for file in files)
    return mapped and (root / "bench" / "__init__.py").is_file()


def _commit(reference: str) -> str:
    """The hash of a commit."""
    _git("rev-parse", "--git-dir")  # fails outside a repository
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    except InputError:
        raise InputError(
            f"There is no commit {reference!r} in this repository: give a branch, a tag or a hash."
        ) from None


def _git(*arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key not in GIT_VARIABLES}
    try:
        result = subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise InputError(f"--against needs a git repository in the current folder ({reason}).") from error
    return result.stdout.strip()
