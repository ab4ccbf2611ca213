"""A checkpoint of a research repository as plain data, without running code from it."""

import mmap
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from samplerbench.errors import InputError
from samplerbench.networks.research.pickle_machine import Unreadable, read_pickle
from samplerbench.networks.research.pickled_values import MEANINGS, Module
from samplerbench.networks.state_dict import read_file, weights_at

ARCHIVE = b"PK\x03\x04"  # how a file of torch.save begins; in its old format, with a pickle of a number
OLD_ARCHIVE = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
DEEPEST, MOST = 32, 50_000  # modules inside each other, and in all


@dataclass(frozen=True)
class Contents:
    """What a file holds. data: a `Module` or a dictionary with one, or weights by name, alone or in dictionaries."""

    path: Path
    data: Any

    def weights(self, key: str = "") -> dict[str, Tensor]:
        """The weights by name at a path of keys. Raises InputError if there is something else."""
        return weights_at(self.data, key, self.path)

    def names(self, key: str = "") -> list[str]:
        """The names at a key, without loading; empty if there are none."""
        found = self.data.get(key, {}) if key and isinstance(self.data, dict) else self.data
        return [str(name) for name in found] if isinstance(found, dict) else []

    @property
    def network(self) -> Module | None:
        """The pickled network, which EDM's files keep under `ema`; None if there is none."""
        found = self.data.get("ema") if isinstance(self.data, dict) else self.data
        return found if isinstance(found, Module) else None


def read_contents(path: Path) -> Contents:
    """The contents of a file: a pickle of an EDM-type network, or weights in safetensors or by torch.save.

    Raises InputError, in one sentence, for anything else, before anything in the file could run.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(OLD_ARCHIVE))
        if head.startswith(b"\x80") and head != OLD_ARCHIVE and path.suffix != ".safetensors":
            return Contents(path, _read_pickle(path))
        if head.startswith(ARCHIVE):
            _check_archive(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (Unreadable, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not read: {error}.") from error
    return Contents(path, read_file(path))


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = read_pickle(data, MEANINGS)  # type: ignore[arg-type]
        if data.tell() != len(data):
            raise Unreadable(f"{len(data) - data.tell()} bytes follow the end of its pickle")
    return found


def _check_archive(path: Path) -> None:
    """Raises Unreadable for compressed entries, as torch.save writes none and a few bytes could become gigabytes."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise Unreadable("its entries are compressed, which torch.save does not do")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise Unreadable("its entries are longer than the file")


def module_weights(module: Module) -> dict[str, Tensor]:
    """The parameters and buffers of a pickled network by name. Raises ValueError if it holds anything else."""
    weights: dict[str, Tensor] = {}
    for count, (prefix, inner) in enumerate(_modules(module, "", 0)):
        if count >= MOST:
            raise ValueError(f"it has more than {MOST:,} modules")
        for kind in ("_parameters", "_buffers"):
            for name, value in inner.attribute(kind, dict).items():
                if value is not None and not isinstance(value, Tensor):
                    raise ValueError(f"{prefix[:80]}{str(name)[:40]} is no tensor")
                if value is not None:
                    weights[f"{prefix}{name}"] = value
    return weights


def _modules(module: Module, prefix: str, depth: int) -> Iterator[tuple[str, Module]]:
    """A module and those inside it, with the prefix of their tensors' names."""
    if depth > DEEPEST:
        raise ValueError(f"its modules are nested more than {DEEPEST} deep")
    yield prefix, module
    for name, inner in module.attribute("_modules", dict).items():
        if isinstance(inner, Module):
            yield from _modules(inner, f"{prefix}{name}.", depth + 1)
        elif inner is not None:
            raise ValueError(f"{prefix[:80]}{str(name)[:40]} is no module")
