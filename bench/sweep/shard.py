"""A part of a sweep, for array jobs: its name and its folder. No torch."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from samplerbench.errors import InputError
from samplerbench.store.place import Place
from samplerbench.store.protocol import ranges

MOST = 100_000  # shards


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count` of a sweep, index from 1 to count. It prints as `index/count`, and parses back."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: object) -> "Shard":
        """Raises InputError for anything but I/N with I from 1 to N."""
        found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text, re.ASCII) if isinstance(text, str) else None
        shard = cls(int(found[1]), int(found[2])) if found else None
        if shard and 1 <= shard.index <= shard.count <= MOST:
            return shard
        raise InputError(f"--shard takes I/N, as in 3/16, with I from 1 to N and N of at most {MOST}, not {text!r}.")

    @classmethod
    def of_folder(cls, name: str) -> "Shard | None":
        """The shard whose folder has this name; None for any other folder."""
        found = re.fullmatch(r"shard-(\d{1,9})-of-(\d{1,9})", name, re.ASCII)
        shard = cls(int(found[1]), int(found[2])) if found else None
        return shard if shard and 1 <= shard.index <= shard.count <= MOST else None

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def folder(self) -> str:
        """The name of its folder below that of the sweep."""
        return f"shard-{self.index}-of-{self.count}"


def placed(folder: Place, shard: str | None) -> Place:
    """The run directory of a sweep, or of its shard, which has a folder of its own below."""
    return folder / Shard.parse(shard).folder if shard else folder


def absent(folders: Iterable[Place]) -> Iterator[str]:
    """The shards that are not among the folders, of those that have siblings there: a sentence for each sweep."""
    found: dict[tuple[Place, int], set[int]] = {}
    for folder in (each.resolve() for each in folders):
        shard = Shard.of_folder(folder.name)
        if shard:
            found.setdefault((folder.parent, shard.count), set()).add(shard.index)
    for (parent, count), indices in found.items():
        missing = sorted(set(range(1, count + 1)) - indices)
        if missing:
            shards = f"shard{'s' * (len(missing) > 1)} {ranges(missing)}"
            yield f"Not among these runs of {parent.name}: {shards} of {count}."
