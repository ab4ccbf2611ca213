"""How the protocols of several runs differ, in words."""

import json
from collections.abc import Mapping, Sequence

from samplerbench.errors import reading
from samplerbench.store.place import Place
from samplerbench.store.sessions import refuse_newer

# Names of facts in sentences, where they differ from those in run.json.
NAMES = {
    "data": "hash of the data",
    "reference": "hash of the reference",
    "reference_images": "number of reference images",
    "floor_images": "number of images for the floor",
    "extractor_digest": "hash of the extractor",
    "features": "number of features",
    "dinov2": "weights of DINOv2",  # of fd_dinov2, a metric of runs before 0.2
}
# Facts that follow from another one: if that differs, these are not mentioned.
IMPLIED = {
    "dataset": {"data", "reference", "reference_images", "floor_images", "extractor", "extractor_digest", "features"},
    "data": {"reference"},
    "extractor": {"extractor_digest", "features"},
    "samples": {"floor_images"},
}


class NotComparable(ValueError):
    """The protocols of two runs differ; the message says how."""


def protocol_facts(run: Place) -> dict | None:
    """The protocol that a run directory or a CSV was measured under; None if it was not recorded."""
    return _recorded(run, "quality")


def recorded_columns(run: Place) -> list[dict]:
    """The columns of the metrics that a run measured, as it describes them; empty for older runs, which do not."""
    return [column for column in _recorded(run, "columns") or () if isinstance(column, dict)]


def _recorded(run: Place, key: str):
    """The entry of protocol.json (beside a baseline) or run.json; None if neither has it.

    Raises InputError if a newer samplerbench has written it.
    """
    with reading(run):
        folder = run if run.is_dir() else run.parent
    for file in (folder / "protocol.json", folder / "run.json"):
        try:
            facts = json.loads(file.read_text())
        except (OSError, ValueError):
            continue
        refuse_newer(file, facts)
        if isinstance(facts, dict) and key in facts:
            return facts[key]
    return None


def differences(facts: Sequence[Mapping | None]) -> list[str]:
    """What differs between protocols, each like `samples (1000 and 500)`; empty if they agree.

    facts: the `quality` of each run.json; None or empty for a run without metrics.
    """
    protocols = [dict(protocol or {}) for protocol in facts]
    if any(protocols) and not all(protocols):
        return ["quality (measured and not measured)"]
    names = dict.fromkeys(name for protocol in protocols for name in protocol)
    values = {name: list(dict.fromkeys(as_text(name, protocol.get(name)) for protocol in protocols)) for name in names}
    differing = [name for name in names if len(values[name]) > 1]
    implied = set().union(*(IMPLIED.get(name, set()) for name in differing))
    return [f"{NAMES.get(name, name)} ({' and '.join(values[name])})" for name in differing if name not in implied]


def as_text(name: str, value: object) -> str:
    """A fact of run.json as text: seed blocks as ranges, lists with commas."""
    if value is None:
        return "not recorded"
    if isinstance(value, list):
        return ranges(value) if name == "seeds" else ", ".join(map(str, value))
    return str(value)


def ranges(seeds: Sequence[int]) -> str:
    """Seed blocks in the notation of `--seeds`: [0, 1, 2, 7] becomes 0-2,7."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
