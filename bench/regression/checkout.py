"""Two checkouts of a repository: a commit in a temporary folder, and the working tree."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from samplerbench.errors import InputError
from samplerbench.regression.packages import imports
from samplerbench.store.repository import git

PREFIX = "samplerbench-against-"  # of the temporary folders; the process id follows
CHECKPOINTS = "checkpoints"  # `networks.checkpoints.FOLDER`, without the torch that its module imports


@dataclass(frozen=True)
class Checkout:
    """A checkout of a repository.

    name: in messages. root: its folder. folder: the folder in it that corresponds to the user's current folder.
    imports: the folders that its packages are imported from. They may lie elsewhere, if its package was installed.
    """

    name: str
    root: Path
    folder: Path
    imports: tuple[Path, ...]

    def holds(self, file: Path) -> bool:
        """Whether a file is part of the checkout or of its package, rather than of an environment inside it."""
        file = file.resolve()
        if not any(file.is_relative_to(folder) for folder in (self.root, *self.imports)):
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
    _remove_abandoned()
    with _exit_on_signals(), tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-") as temporary:
        folder = Path(temporary).resolve()
        tree, snapshot = folder / "tree", folder / "snapshot"
        try:
            _git("worktree", "add", "--detach", str(tree), commit)
            (tree / prefix).mkdir(parents=True, exist_ok=True)
            _share_checkpoints(root / prefix, tree / prefix)
            _copy_working_tree(root, snapshot)
            yield (
                Checkout(reference, tree, tree / prefix, imports(tree, prefix, tree, folder / "commit")),
                Checkout(
                    "the working tree", root, root / prefix, imports(root, prefix, snapshot, folder / "working-tree")
                ),
            )
        finally:
            if tree.exists():
                _git("worktree", "remove", "--force", str(tree))


def _share_checkpoints(folder: Path, other: Path) -> None:
    """Let the commit find the user's own checkpoints, which git ignores, as the working tree does."""
    if (folder / CHECKPOINTS).is_dir() and not (other / CHECKPOINTS).exists():
        (other / CHECKPOINTS).symlink_to((folder / CHECKPOINTS).resolve())


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Leave the block by SystemExit on SIGTERM and SIGHUP, which otherwise skip its clean-up."""

    def leave(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []  # only the main thread may set handlers
    before = {name: signal.signal(getattr(signal, name), leave) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _remove_abandoned() -> None:
    """Remove the checkouts of processes that were killed before they could."""
    for line in _git("worktree", "list", "--porcelain").splitlines():
        tree = Path(line.removeprefix("worktree "))
        owner = re.fullmatch(rf"{PREFIX}(\d+)-.*", tree.parent.name)
        if line.startswith("worktree ") and owner and not _alive(int(owner[1])):
            _git("worktree", "remove", "--force", str(tree))
            shutil.rmtree(tree.parent, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def _copy_working_tree(root: Path, target: Path) -> None:
    """Copy the files that git tracks or would track, so that a build neither litters the original nor reuses leftovers.

    Large files are linked.
    """
    for name in _git("ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=root).split("\0"):
        source, copy = root / name, target / name
        if not name or not source.is_file():  # a deleted file, or a repository inside this one
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.stat().st_size > 1_000_000:
            copy.symlink_to(source)
        else:
            shutil.copy2(source, copy)


def _commit(reference: str) -> str:
    """The hash of a commit."""
    _git("rev-parse", "--git-dir")  # fails outside a repository
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    except InputError:
        raise InputError(
            f"There is no commit {reference!r} in this repository: give a branch, a tag or a hash."
        ) from None


def _git(*arguments: str, folder: Path | None = None) -> str:
    try:
        return git(*arguments, folder=folder)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise InputError(f"--against needs a git repository in the current folder ({reason}).") from error
