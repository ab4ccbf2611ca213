"""The committed baseline: a CSV that is reviewed like a lock file, with its protocol beside it."""

import json
from pathlib import Path

from samplerbench.errors import InputError, writing
from samplerbench.statistics import to_six_digits
from samplerbench.store.columns import CELL, to_csv
from samplerbench.store.place import Place
from samplerbench.store.protocol import protocol_facts, recorded_columns
from samplerbench.store.provenance import utc_now
from samplerbench.store.stored_rows import read_results

VOLATILE = ["cell", "commit", "utc"]  # differ between runs that measured the same


def update(run: Place, folder: Path, reason: str) -> Path:
    """Make the rows of a run the baseline in `folder`, sorted and rounded, and note the reason; returns the CSV.

    protocol.json beside it records the protocol and the columns of the metrics, so that later runs can be compared
    without the plug-ins that measured them.
    Raises InputError if the run has no rows, a row that was not measured, or the folder cannot be written.
    """
    frame = read_results(run)
    failed = frame[frame["status"] != "ok"]
    if frame.empty or len(failed):
        what = f"{failed.iloc[0]['method']} {failed.iloc[0]['status']}" if len(failed) else "it has no rows"
        raise InputError(f"{str(run)!r} cannot become the baseline: {what}.")
    frame = frame.sort_values(CELL).reset_index(drop=True)
    frame[VOLATILE] = ""
    numbers = frame.select_dtypes("float64").columns
    frame[numbers] = frame[numbers].map(to_six_digits)
    protocol = {
        "protocol": frame["protocol"].iloc[0],
        "quality": protocol_facts(run),
        "columns": recorded_columns(run),
    }

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "protocol.json").write_text(json.dumps(protocol, indent=2) + "\n", encoding="utf-8")
        (folder / "results.csv").write_text(to_csv(frame), encoding="utf-8")
        with (folder / "REASONS.md").open("a", encoding="utf-8") as file:
            file.write(f"- {utc_now()}: {' '.join(reason.split())}\n")
    return folder / "results.csv"
