"""Where files of a run lie: in a local folder, which may be on NFS, or in a bucket."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from samplerbench.store.bucket import BucketPath

Place = Path | BucketPath


def as_place(where: str | Place) -> Place:
    """A local path, or that of a URL such as s3://bucket/run. Raises InputError for one that cannot be opened."""
    if isinstance(where, str):
        return BucketPath.parse(where) if "://" in where else Path(where)
    return where


def names(folder: Place) -> list[str]:
    """The names of what is in a folder, sorted; empty if there is no folder."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def contents(folder: Place, suffix: str) -> dict[str, bytes]:
    """The files of a folder with this suffix, by name; empty if there is no folder."""
    found = [folder / name for name in names(folder) if name.endswith(suffix)]
    if isinstance(folder, BucketPath):
        return folder.read_all([path.name for path in found])
    read = {}
    for path in found:
        with suppress(FileNotFoundError):  # another process has deleted it
            read[path.name] = path.read_bytes()
    return read


def remove_folder(folder: Place) -> None:
    """Delete a folder and the files in it."""
    for name in names(folder):
        (folder / name).unlink(missing_ok=True)
    if isinstance(folder, Path):
        with suppress(OSError):  # there is none, or another process has written there again
            folder.rmdir()


def modified(path: Place) -> float:
    """When a file was written, in seconds by the clock of where it lies. Raises OSError."""
    if isinstance(path, BucketPath):
        return path.modified()
    with path.open("rb") as file:  # NFS answers `stat` from its cache, for up to a minute
        return os.fstat(file.fileno()).st_mtime


@contextmanager
def uploaded(folder: Place) -> Iterator[Path]:
    """A block that writes files into a local folder: this one, or a temporary one that is then copied to the bucket."""
    if isinstance(folder, Path):
        yield folder
        return
    with TemporaryDirectory() as temporary:
        yield Path(temporary)
        for file in sorted(path for path in Path(temporary).rglob("*") if path.is_file()):
            (folder / file.relative_to(temporary).as_posix()).upload(file)
