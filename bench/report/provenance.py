"""Where the numbers of a report come from, and the commands that measure them again."""

from collections.abc import Mapping

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


def _cell(row: Mapping) -> str:
    return row["name"] if pd.isna(row["steps"]) else f"{row['name']}, {step_count(row['steps'])}"
