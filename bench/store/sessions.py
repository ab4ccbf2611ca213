"""run.json: what the rows of a run directory were made from, in one session or several."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from samplerbench.errors import InputError
from samplerbench.store.place import Place

SCHEMA = 2  # of run.json and results.csv; runs of schema 1 do not say so. It rises with what older versions misread.
# The facts of a run, with their types. A merged report has `command` and `runs`, the facts of every run by its name.
NEEDED = {
    "command": str,
    "sweep": dict,
    "environment": dict,
    "checkpoints": dict,
    "protocol": str,
    "quality": dict | None,
    "commit": str,
    "utc": str,
}
# Since then: older runs lack them, as a run without a suite lacks that.
ADDED = {"grids": dict, "columns": list, "sessions": list, "suite": dict, "schema": int, "planned": dict,
    "layout": str, "batch_size": int,
}  # fmt: skip
# What the next session may change.
OF_SESSION = "command suite sweep environment checkpoints grids layout batch_size commit utc".split()
JOINED = ("checkpoints", "grids")
_WITHOUT_FACTS = "restore it, or delete it and repeat the `bench run`, which keeps its rows."


def with_session(before: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run directory after another session; `before`, which may be empty, are those it had.

    They are those of the latest session, but for `checkpoints`, `grids` and `columns`, which are those of all sessions,
    and `sessions`, which lists what each of them was.
    """
    joined = {key: before.get(key, {}) | facts[key] for key in JOINED}
    columns = {column["name"]: column for column in (*before.get("columns", ()), *facts["columns"])}
    return {
        "schema": SCHEMA,
        **facts,
        **joined,
        "columns": [*columns.values()],
        "sessions": [*sessions(before), _session(facts)],
    }


def found_batch(facts: Mapping[str, Any], like: Mapping[str, Any]) -> int | None:
    """The largest batch that an earlier session with the facts `like`, the same sweep on the same device, has found."""

    def asked(session: Mapping[str, Any]) -> str:
        return json.dumps([session["sweep"], session["environment"]["device"]], sort_keys=True)

    same = [each["batch_size"] for each in sessions(facts) if "batch_size" in each and asked(each) == asked(like)]
    return same[-1] if same else None


def with_seconds(facts: Mapping[str, Any], session: int, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The facts with the seconds of wall time that a session, by its place, has spent on each part of its work."""
    listed = list(sessions(facts))
    listed[session] = listed[session] | {"seconds": {part: round(value, 3) for part, value in seconds.items()}}
    return {**facts, "sessions": listed}


def sessions(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each session recorded, in their order; older runs recorded only the last one."""
    last = _session(facts)
    return facts.get("sessions") or [last] * bool(last)


def _session(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: facts[key] for key in OF_SESSION if key in facts}


def read_facts(run: Place) -> dict:
    """run.json of a run directory or of a merged report. Raises InputError if it is missing, damaged or another's."""
    path = run / "run.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{str(run)!r} has no readable run.json: give the directory of a `bench run`.") from error
    except ValueError as error:
        raise InputError(f"{str(path)!r} is damaged ({error}): {_WITHOUT_FACTS}") from error
    refuse_newer(path, facts)
    for wrong in wrong_facts(facts):
        raise InputError(f"{str(path)!r} was not written by `bench run` ({wrong}): {_WITHOUT_FACTS}")
    return facts


def refuse_newer(path: Place, facts: Any) -> None:
    """Raise InputError if a newer samplerbench has written this run.json, whose meaning may have changed."""
    schema = facts.get("schema") if isinstance(facts, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise InputError(
            f"{str(path)!r} was written by a newer samplerbench (schema {schema}, and this version reads up to "
            f"{SCHEMA}): update samplerbench."
        )


def wrong_facts(facts: Any) -> Iterator[str]:
    """What run.json lacks, or has of another type, in words."""
    if not isinstance(facts, dict):
        yield "it is not an object"
    elif isinstance(facts.get("runs"), dict):
        for name, run in facts["runs"].items():
            yield from (f"{problem} in {name!r}" for problem in wrong_facts(run))
    else:
        yield from (f"it has no {key!r}" for key in NEEDED if key not in facts)
        for key, kind in (NEEDED | ADDED).items():
            if key in facts and not isinstance(facts[key], kind):
                yield f"its {key!r} is damaged"
