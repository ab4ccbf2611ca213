"""results.csv as it is found on disk: whole, cut short by a kill, or damaged."""

import io
import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from samplerbench.errors import InputError
from samplerbench.store.columns import CELL_OF_RUN, DOCUMENTED, TEXT, empty_frame, typed

NOT_METRICS = ["run"]  # columns of merged reports, which become `StoredRows.runs`


class StoredRows(NamedTuple):
    """What results.csv holds. runs: the column of a merged report. torn: a line without an end, which is not a row."""

    frame: pd.DataFrame
    runs: pd.Series | None
    torn: str


def read_rows(run: Path, path: Path) -> StoredRows:
    """The rows at `path`, which is in `run` or is `run` itself. Raises InputError for anything but whole rows."""
    try:
        in_run = (run / "run.json").exists()
        text, torn = _complete(path.read_text(encoding="utf-8"), in_run)
        if in_run and not text:  # not even the header is whole
            return StoredRows(empty_frame(), None, torn)
        _check_widths(path, text)
        frame = pd.read_csv(io.StringIO(text), dtype=dict.fromkeys(TEXT, str))
    except FileNotFoundError:
        raise InputError(f"There are no results at {str(path)!r}: give the directory of a `bench run`.") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{str(path)!r} cannot be read as results of samplerbench: {reason}.") from error
    missing = [column for column in DOCUMENTED if column not in frame.columns]
    if missing:
        raise InputError(f"{str(path)!r} is not a results file of samplerbench: it has no column {missing[0]!r}.")
    try:
        rows = typed(frame.drop(columns=NOT_METRICS, errors="ignore"))
    except (ValueError, TypeError) as error:
        raise InputError(f"{str(path)!r} holds something else than a number where one belongs: {error}.") from error
    runs = frame["run"].fillna("").astype(str) if "run" in frame else None
    if run.is_dir() and runs is None:
        rows = rows.drop_duplicates(CELL_OF_RUN, keep="last", ignore_index=True)
    return StoredRows(rows, runs, torn)


def read_results(run: Path) -> pd.DataFrame:
    """The rows of a run directory or a CSV. Raises InputError if there are none, or they are another tool's.

    Of a running or killed run, these are the rows that are complete, and of several of one cell the last.
    """
    return read_rows(run, _file(run)).frame


def read_merged(run: Path) -> tuple[pd.DataFrame, pd.Series | None]:
    """The rows, and the run that each of them is from; None if they are all from the one that wrote them."""
    rows = read_rows(run, _file(run))
    return rows.frame, rows.runs


def _file(run: Path) -> Path:
    return run / "results.csv" if run.is_dir() else run


def _complete(text: str, in_run: bool) -> tuple[str, str]:
    """The lines that have an end, and what follows them, which in a run is a row that was being written."""
    whole, end, last = text.rpartition("\n")
    return (whole + end, last) if in_run else (text, "")


def _check_widths(path: Path, text: str) -> None:
    """Raise InputError if a line has another number of values than the first: pandas would fill in what is missing."""
    lines = re.sub('"[^"]*"', "", text).split("\n")
    widths = [line.count(",") + 1 for line in lines if line]
    for number, width in enumerate(widths, 1):
        if width != widths[0]:
            raise InputError(
                f"Line {number} of {str(path)!r} is damaged (it has {width} of {widths[0]} values): restore the file, "
                "or delete that line."
            )
