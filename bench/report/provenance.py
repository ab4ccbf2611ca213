"""Where the numbers of a report come from, and the commands that measure them again."""

import shlex
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from samplerbench.report.formats import step_count
from samplerbench.store.protocol import NAMES, as_text
from samplerbench.store.sessions import sessions


def origin(facts: Mapping) -> dict[str, str]:
    """What run.json records about the making of a run, as headings and text."""
    environment = dict(facts["environment"])
    packages = ", ".join(f"{name} {version}" for name, version in environment.pop("packages", {}).items())
    protocol = {NAMES.get(name, name): as_text(name, value) for name, value in (facts["quality"] or {}).items()}
    weights = {f"weights of {recipe}": source for recipe, source in facts["checkpoints"].items()}
    grids = {f"hash of {file}": digest for file, digest in facts.get("grids", {}).items()}
    made = sessions(facts)
    return (
        {"command": "; ".join(dict.fromkeys(session["command"] for session in made))}
        | {"commit": ", ".join(dict.fromkeys(session["commit"] or "unknown" for session in made))}
        | {"started": made[0]["utc"]}
        | {name: as_text(name, value) for name, value in environment.items()}
        | {"packages": packages, "number format": facts["sweep"].get("dtype", "")}
        | weights
        | grids
        | {"protocol": facts["protocol"]}
        | protocol
    )


def commands(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """For every cell with a recorded command: its method and steps, and the `bench run` that measures it again."""
    recorded = rows[(rows["status"] != "skipped") & (rows["command"] != "")]
    return [(_cell(row), row["command"]) for row in recorded.to_dict("records")]


def joined(lines: Iterable[str]) -> list[str]:
    """The commands with those joined that differ in --methods and --steps alone: fewer commands for the same cells."""
    steps: dict[tuple, list[str]] = {}  # of each method under the same other options
    for line in lines:
        words = shlex.split(line)
        method, count = _taken(words, "--methods"), _taken(words, "--steps")
        steps.setdefault((tuple(words), method), []).append(count)
    methods: dict[tuple, list[str]] = {}
    for (words, method), counts in steps.items():
        methods.setdefault((words, tuple(counts)), []).append(method)
    return [_command(words, names, counts) for (words, counts), names in methods.items()]


def _taken(words: list[str], option: str) -> str:
    """The value of an option, which is taken out of the words; "" if it is not there."""
    if option not in words:
        return ""
    place = words.index(option)
    _, value = words[place : place + 2]
    del words[place : place + 2]
    return value


def _command(words: Sequence[str], methods: Sequence[str], counts: Sequence[str]) -> str:
    start, rest = list(words[:2]), list(words[2:])
    named = ["--methods", ",".join(methods)] if any(methods) else []
    return shlex.join([*start, *named, *(["--steps", ",".join(counts)] if all(counts) else []), *rest])


def _cell(row: Mapping) -> str:
    return row["name"] if pd.isna(row["steps"]) else f"{row['name']}, {step_count(row['steps'])}"
