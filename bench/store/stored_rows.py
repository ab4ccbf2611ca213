"""The rows of a run as they are found: in results.csv, which may be cut short or damaged, and apart, in rows/."""

import io
import re
from collections import defaultdict
from typing import NamedTuple

import pandas as pd

from samplerbench.errors import InputError, reading
from samplerbench.store.columns import CELL_OF_RUN, DOCUMENTED, TEXT, empty_frame, typed
from samplerbench.store.place import Place, contents

NOT_METRICS = ["run"]  # columns of merged reports, which become `StoredRows.runs`
# Rows that are not in results.csv yet, a file each: where nothing can be appended, or several sessions write.
APART = "rows"


class StoredRows(NamedTuple):
    """The rows of a run. runs: the column of a merged report. torn: a line without an end, which is not a row."""

    frame: pd.DataFrame
    runs: pd.Series | None
    torn: str


def read_rows(run: Place, path: Place) -> StoredRows:
    """The rows at `path`, which is in `run` or is `run` itself. Raises InputError for anything but whole rows."""
    try:
        in_run = (run / "run.json").exists()
        apart = _apart(run) if in_run else []  # before those that are together, to which they may move meanwhile
        text, torn = _complete(path.read_text(encoding="utf-8"), in_run)
        texts = [text] if text or not in_run else []  # not even the header is whole
        frames = [_parsed(path, each) for each in (*texts, *apart)]
    except FileNotFoundError:
        raise InputError(f"There are no results at {str(path)!r}: give the directory of a `bench run`.") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        raise InputError(f"{str(path)!r} cannot be read as results of samplerbench: {reason}.") from error
    if not frames:
        return StoredRows(empty_frame(), None, torn)
    frame = pd.concat([each for each in frames if len(each)] or frames[:1], ignore_index=True)
    try:
        rows = typed(frame.drop(columns=NOT_METRICS, errors="ignore"))
    except (ValueError, TypeError) as error:
        raise InputError(f"{str(path)!r} holds something else than a number where one belongs: {error}.") from error
    runs = frame["run"].fillna("").astype(str) if "run" in frame else None
    if run != path and runs is None:
        rows = rows.drop_duplicates(CELL_OF_RUN, keep="last", ignore_index=True)
    return StoredRows(rows, runs, torn)


def read_results(run: Place) -> pd.DataFrame:
    """The rows of a run directory or a CSV. Raises InputError if there are none, or they are another tool's.

    Of a running or killed run, these are the rows that are complete, and of several of one cell the last.
    """
    return read_rows(run, _file(run)).frame


def read_merged(run: Place) -> tuple[pd.DataFrame, pd.Series | None]:
    """The rows, and the run that each of them is from; None if they are all from the one that wrote them."""
    rows = read_rows(run, _file(run))
    return rows.frame, rows.runs


def _file(run: Place) -> Place:
    with reading(run):
        return run / "results.csv" if run.is_dir() else run


def _apart(run: Place) -> list[str]:
    """The rows of rows/ as CSV, in one text for each header."""
    lines = defaultdict(list)
    for content in contents(run / APART, ".csv").values():
        header, _, line = content.decode().partition("\n")
        lines[header].append(line)
    return [f"{header}\n{''.join(found)}" for header, found in lines.items()]


def _complete(text: str, in_run: bool) -> tuple[str, str]:
    """The lines that have an end, and what follows them, which in a run is a row that was being written."""
    whole, end, last = text.rpartition("\n")
    return (whole + end, last) if in_run else (text, "")


def _parsed(path: Place, text: str) -> pd.DataFrame:
    _check_widths(path, text)
    frame = pd.read_csv(io.StringIO(text), dtype=dict.fromkeys(TEXT, str))
    missing = [column for column in DOCUMENTED if column not in frame.columns]
    if missing:
        raise InputError(f"{str(path)!r} is not a results file of samplerbench: it has no column {missing[0]!r}.")
    return frame


def _check_widths(path: Place, text: str) -> None:
    """Raise InputError if a line has another number of values than the first: pandas would fill in what is missing."""
    lines = re.sub('"[^"]*"', "", text).split("\n")
    widths = [line.count(",") + 1 for line in lines if line]
    for number, width in enumerate(widths, 1):
        if width != widths[0]:
            raise InputError(
                f"Line {number} of {str(path)!r} is damaged (it has {width} of {widths[0]} values): restore the file, "
                "or delete that line."
            )
