"""The committed baseline: a CSV that a review reads like a lock file."""

import json
from pathlib import Path

import pandas as pd

from samplerbench.errors import InputError, writing
from samplerbench.regression.compare import protocol_facts
from samplerbench.store.provenance import utc_now
from samplerbench.store.run_directory import CELL, read_results, to_csv

VOLATILE = ["cell", "commit", "utc"]  # they change without the figures changing


def update(run: Path, folder: Path, reason: str) -> Path:
    """Make the rows of a run the baseline in `folder`, sorted and rounded, beside their protocol, and note
    the reason; returns the CSV.

    Raises InputError if the run has no row that was measured, one that was not, or the folder cannot be written.
    """
    frame = read_results(run)
    failed = frame[frame["status"] != "ok"]
    if frame.empty or len(failed):
        what = f"{failed.iloc[0]['method']} {failed.iloc[0]['status']}" if len(failed) else "it has no rows"
        raise InputError(f"{str(run)!r} cannot become the baseline: {what}.")
    frame = frame.sort_values(CELL).reset_index(drop=True)
    frame[VOLATILE] = ""
    numbers = frame.select_dtypes("float64").columns
    frame[numbers] = frame[numbers].map(_rounded)

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        protocol = {"protocol": frame["protocol"].iloc[0], "quality": protocol_facts(run)}
        (folder / "protocol.json").write_text(json.dumps(protocol, indent=2) + "\n", encoding="utf-8")
        (folder / "results.csv").write_text(to_csv(frame), encoding="utf-8")
        with (folder / "REASONS.md").open("a", encoding="utf-8") as file:
            file.write(f"- {utc_now()}: {' '.join(reason.split())}\n")
    return folder / "results.csv"


def _rounded(value: float) -> float:
    return value if pd.isna(value) else float(f"{value:.6g}")
