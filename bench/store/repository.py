"""The git repository that something was measured in. setup.py runs this file on its own: standard library only."""

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samplerbench.store.place import Place

# Where git looks before the current folder, as it does inside a hook.
GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


def git(*arguments: str, folder: Path | None = None) -> str:
    """What git prints in a folder. Raises OSError without git, CalledProcessError if it fails."""
    environment = {key: value for key, value in os.environ.items() if key not in GIT_VARIABLES}
    command = ["git", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=environment)
    return result.stdout.strip()


def repository(folder: Path | None = None) -> dict[str, object] | None:
    """The repository of a folder, by default the current one; None outside of any, or before its first commit.

    name: of its top folder. commit: twelve digits. dirty: whether tracked files differ from it.
    """
    try:
        return {
            "name": Path(git("rev-parse", "--show-toplevel", folder=folder)).name,
            "commit": git("rev-parse", "--short=12", "HEAD", folder=folder),
            "dirty": bool(git("status", "--porcelain", "-uno", folder=folder)),
        }
    except (OSError, subprocess.CalledProcessError):
        return None


def commit_of(file: Path) -> str:
    """The commit of the repository that tracks a file, with a + if the repository has changes; "" if none does."""
    try:
        tracked = git("ls-files", file.name, folder=file.parent)  # or else the file was installed inside a repository
    except (OSError, subprocess.CalledProcessError):
        return ""
    return _text(repository(file.parent)) if tracked else ""


def measured_commit(run: "Place") -> str:
    """The commit of the user's repository that a run directory records, as `commit_of` writes it; "" if it does not."""
    try:
        return _text(json.loads((run / "run.json").read_text(encoding="utf-8"))["repository"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _text(found: dict | None) -> str:
    return f"{found['commit']}{'+' if found['dirty'] else ''}" if found else ""
