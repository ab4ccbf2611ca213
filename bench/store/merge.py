"""Merge several runs into one report."""

import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from samplerbench.errors import InputError, writing
from samplerbench.store.columns import to_csv
from samplerbench.store.place import Place, contents, uploaded
from samplerbench.store.protocol import NotComparable, differences
from samplerbench.store.results import Results, assemble, load
from samplerbench.store.sessions import SCHEMA

DEFAULT_OUTPUT = Path("results/report")


def merge(runs: Sequence[Place], output: Place, mixed: bool = False) -> Results:
    """The rows of several runs, each under the name of its run; `write` puts them into `output`.

    mixed: allow different protocols in one report, each ranked by itself.
    Raises NotComparable if the protocols differ and `mixed` is not set, InputError for a folder without a run.
    """
    read = {name: load(folder) for name, folder in named(runs).items()}
    for name, results in read.items():
        if "" not in results.facts:
            parts = ", ".join(results.facts)
            raise InputError(f"{name!r} is itself a merged report: give the runs it was made from ({parts}).")
    facts = {name: results.facts[""] for name, results in read.items()}
    if not mixed:
        _check_protocols(facts)
    return assemble(output, {name: results.rows for name, results in read.items()}, facts)


def named(runs: Sequence[Place]) -> dict[str, Place]:
    """A name for every run: its folder's, with as much of the path before it as makes the names unique."""
    parts = [run.resolve().parts[1:] for run in runs]
    if len(set(parts)) < len(parts):
        raise InputError("The same run is given twice: give each run once.")
    for length in range(1, max(map(len, parts)) + 1):
        names = ["-".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, runs, strict=True))


def write(results: Results, runs: Sequence[Place], mixed: bool) -> None:
    """Write results.csv, run.json and the raw data of merged runs into the folder of the results.

    Raises InputError if the folder is one of the runs, contains anything but a merged report, or cannot be written.
    """
    output = results.folder
    _check_free(output)
    command = ["bench", "report", *map(str, runs), "--output", str(output), *["--mixed"] * mixed]
    with writing(output), uploaded(output) as folder:
        shutil.rmtree(folder / "raw", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        for name, run in named(runs).items():
            _copy(run / "raw", folder / "raw" / name)
        stored = results.rows.drop(columns=["machine", "name"])
        (folder / "results.csv").write_text(to_csv(stored), encoding="utf-8")
        facts = {"schema": SCHEMA, "command": shlex.join(command), "runs": results.facts}
        (folder / "run.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _copy(raw: Place, folder: Path) -> None:
    stored = contents(raw, ".npz")
    folder.mkdir(parents=True)
    for name, content in stored.items():
        (folder / name).write_bytes(content)


def _check_protocols(facts: Mapping[str, dict]) -> None:
    protocols = {run["protocol"] for run in facts.values()}
    if len(protocols) > 1:
        what = ", ".join(differences([run["quality"] for run in facts.values()]))
        raise NotComparable(
            f"The runs follow different protocols, so their metrics are not comparable: "
            f"{what or 'the data, the reference or the extractor'}. Add --mixed to report them side by side."
        )


def _check_free(output: Place) -> None:
    """Refuse a folder that contains anything but an earlier merged report."""
    if not output.exists():
        return
    if not output.is_dir():
        raise InputError(f"{str(output)!r} is a file: choose another --output.")
    if any(output.iterdir()) and not (_facts(output) or {}).get("runs"):
        raise InputError(f"{str(output)!r} contains something other than a merged report: choose another --output.")


def _facts(folder: Place) -> dict | None:
    try:
        return json.loads((folder / "run.json").read_text())
    except (OSError, ValueError):
        return None
