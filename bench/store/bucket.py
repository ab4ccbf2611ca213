"""A path in a bucket, or on anything else that fsspec opens: as much of pathlib's Path as a run directory needs."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from samplerbench.errors import InputError, nearest

COMMON = ("s3", "gs", "abfs", "hf", "sftp", "file")  # of fsspec's protocols, for advice
# Local files, under a URL, need their folders made; in a bucket a folder is no more than a part of a name.
OPTIONS: dict[str, dict[str, Any]] = {"file": {"auto_mkdir": True}, "local": {"auto_mkdir": True}}


@dataclass(frozen=True)
class BucketPath:
    """An object, or all those below a prefix, by its URL. Any error of the storage is raised as an OSError.

    An object is written as a whole: readers find the old one or the new one. Nothing can be appended to.
    """

    url: str

    @classmethod
    def parse(cls, url: str) -> "BucketPath":
        """Raises InputError for a URL that fsspec cannot open, or only with another package."""
        protocol = url.partition("://")[0].rpartition("::")[2]
        if protocol not in fsspec.available_protocols():
            raise InputError(f"No storage is named {protocol!r}, as in {url!r}. {nearest(protocol, COMMON)}")
        path = cls(url.rstrip("/"))
        try:
            _ = path._opened
        except Exception as error:  # every storage has its own
            raise InputError(f"{url!r} cannot be opened: {_reason(error)}.") from error
        return path

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> "BucketPath":
        return BucketPath(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    @property
    def parent(self) -> "BucketPath":
        """The URL without its last part."""
        return BucketPath(self.url.rpartition("/")[0])

    @property
    def parts(self) -> tuple[str, ...]:
        """The protocol, the bucket, and the parts of the name."""
        return tuple(filter(None, self.url.split("/")))

    def with_name(self, name: str) -> "BucketPath":
        """As Path has it."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> "BucketPath":
        """As Path has it."""
        return self.with_name(str(PurePosixPath(self.name).with_suffix(suffix)))

    def resolve(self) -> "BucketPath":
        """The same: a URL is absolute."""
        return self

    def exists(self) -> bool:
        """Whether it is an object, or there are any below."""
        with self._storage() as (files, key):
            return files.exists(key)

    def is_file(self) -> bool:
        """Whether it is an object."""
        with self._storage() as (files, key):
            return files.isfile(key)

    def is_dir(self) -> bool:
        """Whether there are objects below."""
        with self._storage() as (files, key):
            return files.isdir(key)

    def iterdir(self) -> Iterator["BucketPath"]:
        """What is directly below; raises FileNotFoundError if nothing is."""
        with self._storage() as (files, key):
            found = files.ls(key, detail=False)
        yield from (self / name for name in sorted({each.rstrip("/").rpartition("/")[2] for each in found} - {""}))

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a bucket has no folders."""

    def read_bytes(self) -> bytes:
        """The content of the object."""
        with self._storage() as (files, key):
            return files.cat_file(key)

    def read_all(self, names: Sequence[str]) -> dict[str, bytes]:
        """The content of the objects of these names below, all at once; without those that are gone."""
        if not names:
            return {}
        with self._storage() as (files, key):
            found = files.cat([f"{key}/{name}" for name in names], on_error="omit")
        return {path.rpartition("/")[2]: content for path, content in found.items()}

    def read_text(self, encoding: str = "utf-8") -> str:
        """The content of the object as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Write the object, in the place of an earlier one."""
        with self._storage() as (files, key):
            files.pipe_file(key, data)

    def create(self, data: bytes) -> bool:
        """Write the object unless there is one; returns whether it did.

        S3, GCS and Azure decide that themselves. Elsewhere, of several that do so at once, the last one has written it.
        """
        try:
            with self._storage() as (files, key):
                files.pipe_file(key, data, mode="create")
        except FileExistsError:
            return False
        return self.read_bytes() == data

    def upload(self, file: Path) -> None:
        """Write the object from a local file of any size."""
        with self._storage() as (files, key):
            files.put_file(str(file), key)

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object."""
        try:
            with self._storage() as (files, key):
                files.rm_file(key)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def modified(self) -> float:
        """When the object was written, in seconds by the storage's clock."""
        with self._storage() as (files, key):
            return files.modified(key).timestamp()

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        protocol = self.url.partition("://")[0]
        return url_to_fs(self.url, **OPTIONS.get(protocol, {}))

    @contextmanager
    def _storage(self) -> Iterator[tuple[Any, str]]:
        """The file system and its name of this path, as it is now: other machines write there, too."""
        try:
            files, key = self._opened
            files.invalidate_cache()
            yield files, key
        except OSError:
            raise
        except Exception as error:  # every storage has its own
            raise OSError(errno.EIO, _reason(error), self.url) from error


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).removesuffix(".")
    return text if isinstance(error, ImportError) else f"{type(error).__name__}: {text}"
