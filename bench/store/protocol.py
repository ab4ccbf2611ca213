"""How the protocols of several runs differ, in words."""

from collections.abc import Mapping, Sequence

# What a fact is called in a sentence, where its name does not say it.
NAMES = {
    "data": "hash of the data",
    "reference": "hash of the reference",
    "reference_images": "number of reference images",
    "floor_images": "number of images for the floor",
    "extractor_digest": "hash of the extractor",
    "features": "number of features",
    "dinov2": "weights of DINOv2",
}
# Facts that change with another one, which is then all that need be said.
IMPLIED = {
    "dataset": {"data", "reference", "reference_images", "floor_images", "extractor", "extractor_digest", "features"},
    "data": {"reference"},
    "extractor": {"extractor_digest", "features"},
    "samples": {"floor_images"},
}


def differences(facts: Sequence[Mapping | None]) -> list[str]:
    """What differs between protocols, each like `samples (1000 and 500)`; empty if nothing does.

    `facts` are the `quality` of each run.json; None, or nothing, stands for a run whose quality was not measured.
    """
    protocols = [dict(protocol or {}) for protocol in facts]
    if any(protocols) and not all(protocols):
        return ["quality (measured and not measured)"]
    names = dict.fromkeys(name for protocol in protocols for name in protocol)
    values = {name: list(dict.fromkeys(_text(name, protocol.get(name)) for protocol in protocols)) for name in names}
    differing = [name for name in names if len(values[name]) > 1]
    implied = set().union(*(IMPLIED.get(name, set()) for name in differing))
    return [f"{NAMES.get(name, name)} ({' and '.join(values[name])})" for name in differing if name not in implied]


def _text(name: str, value: object) -> str:
    if value is None:
        return "not recorded"
    return ranges(value) if name == "seeds" and isinstance(value, list) else str(value)


def ranges(seeds: Sequence[int]) -> str:
    """Seed blocks as `--seeds` takes them: [0, 1, 2, 7] is 0-2,7."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
