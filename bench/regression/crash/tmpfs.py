"""A file system in memory that is small or read-only, as only the administrator can make one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[None]:
    """A block in which `folder`, which is created, is a file system of `size` bytes. Raises OSError."""
    folder.mkdir(parents=True)
    _call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        _call("umount", "--lazy", str(folder))


def remount(folder: Path, option: str) -> None:
    """Change an option of the file system: `size=4096`, `ro`, `rw`. Raises OSError, for `ro` if a file is open."""
    _call("mount", "-o", f"remount,{option}", str(folder))


def why_not() -> str:
    """Why no such file system can be made here; empty if one can."""
    if os.name != "posix" or os.geteuid():
        return "a tmpfs can be mounted by root alone"
    with TemporaryDirectory() as folder:
        try:
            with tmpfs(Path(folder, "tried"), 1 << 16):
                return ""
        except OSError as error:
            return f"no tmpfs can be mounted here ({error})"


def _call(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(" ".join(done.stderr.split()) or f"{words[0]} ended with {done.returncode}")
