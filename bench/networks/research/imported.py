"""Imported checkpoints: safetensors files whose metadata says of which family a network is and what it predicts."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from samplerbench.errors import InputError
from samplerbench.methods import SpecError
from samplerbench.models import CheckpointError, load, save
from samplerbench.models.research.build import build
from samplerbench.models.research.config import Config, shown
from samplerbench.networks.external import ExternalNetwork
from samplerbench.networks.research.contents import Contents, read_contents
from samplerbench.networks.research.family import FAMILIES, Family, Found

KEY = "imported"  # of the metadata
LONGEST = 100_000  # characters of it


@dataclass(frozen=True)
class Imported:
    """What the metadata of an imported file records. source, sha256: the name and the hash of the original file."""

    family: str
    network: Config
    conventions: Config
    source: str
    sha256: str

    @property
    def json(self) -> str:
        """The text of the metadata."""
        family = FAMILIES.lookup(self.family)
        return json.dumps({
            "family": self.family, "network": _named(self.network, family.networks),
            "conventions": _named(self.conventions, family.conventions), "source": self.source, "sha256": self.sha256,
        }, allow_nan=False)  # fmt: skip

    @classmethod
    def read(cls, text: str) -> "Imported":
        """The record in such a text. Raises ValueError, with the reason, if it is damaged."""
        try:
            found = json.loads(text) if len(text) <= LONGEST else None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"its metadata is no JSON ({error})") from error
        names = ("family", "network", "conventions", "source", "sha256")
        if not isinstance(found, dict) or sorted(found) != sorted(names):
            raise ValueError("its metadata is not that of `bench import`")
        family, network, conventions, source, sha256 = (found[name] for name in names)
        if not all(isinstance(each, str) for each in (family, source, sha256)):
            raise ValueError("its metadata is not that of `bench import`")
        try:
            known = FAMILIES.lookup(family)
        except SpecError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return cls(
            family, _configuration(network, known.networks), _configuration(conventions, known.conventions), source,
            sha256,
        )  # fmt: skip


def _named(config: Config, classes: Mapping[str, type[Config]]) -> dict[str, Any]:
    """A configuration with the name of its class."""
    return {"class": next(name for name, each in classes.items() if each is type(config))} | config.values


def _configuration(values: Any, classes: Mapping[str, type[Config]]) -> Config:
    """The inverse. Raises ValueError."""
    name = values.get("class") if isinstance(values, dict) else None
    if not isinstance(name, str) or name not in classes:
        raise ValueError(f"its metadata names the class {shown(name)}, not {' or '.join(classes)}")
    return classes[name].read({key: value for key, value in values.items() if key != "class"})


def import_file(path: Path, spec: str | None, output: Path) -> Imported:
    """Write a research checkpoint as a safetensors file with its record, and return that.

    spec: of the family; None to recognise it. Raises InputError or SpecError, in one sentence, for anything that cannot
    be read, and for an output that exists.
    """
    if output.exists():
        raise InputError(f"{str(output)!r} exists: choose another --output.")
    known = FAMILIES.get(spec) if spec is not None else None
    contents = read_contents(path)
    family = known or _recognised(contents)
    try:
        found = family.read(contents)
        imported = Imported(family.name, found.network, found.conventions, path.name, _sha256(path))
        weights = _network(family, found).state_dict()
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path} is no network of the family {family.name}: {error}.") from error
    try:
        save(output, {name: _own(value) for name, value in weights.items()}, {KEY: imported.json})
    except SafetensorError as error:
        raise InputError(f"Cannot write {str(output)!r}: {error}.") from error
    return imported


def _recognised(contents: Contents) -> Family:
    """The first family that a file fits, with its defaults. Raises InputError if there is none."""
    for name in FAMILIES.names():
        if FAMILIES.lookup(name).fits(contents):
            return FAMILIES.get(name)
    raise InputError(
        f"{contents.path} is of none of the families {', '.join(FAMILIES.names())}: a function of yours can load it, "
        "as --model package.module:function (docs/models.md)."
    )


def _network(family: Family | type[Family], found: Found) -> nn.Module:
    """The network in float32. Raises ValueError if the weights are those of another."""
    weights = {name: value.float() if value.is_floating_point() else value for name, value in found.weights.items()}
    return build(lambda: family.module(found.network, found.conventions), weights)


def _own(tensor: Tensor) -> Tensor:
    """The tensor with a storage to itself, without which safetensors does not write it."""
    whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
    return tensor if whole and tensor.is_contiguous() else tensor.clone().contiguous()


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            total.update(block)
    return total.hexdigest()


def is_imported(path: Path) -> bool:
    """Whether a file is one of `bench import`; False if it is damaged or missing."""
    try:
        with safe_open(path, framework="pt") as file:
            return KEY in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def imported_record(path: Path) -> tuple[ExternalNetwork, type[Family]]:
    """The record of an imported network, and its family. Raises CheckpointError if the file is damaged."""
    checkpoint = load(path)
    try:
        imported = Imported.read(checkpoint.metadata[KEY])
        family = FAMILIES.lookup(imported.family)
        module = _network(family, Found(imported.network, imported.conventions, checkpoint.weights))
        record = family.record(module, imported.network, imported.conventions)
    except ValueError as error:
        raise CheckpointError(f"{path} is not as `bench import` wrote it: {error}.") from error
    return replace(record, digest=checkpoint.digest), family
