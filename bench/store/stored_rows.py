"""The rows of a run as they are found: in results.csv, which may be cut short or damaged, and apart, in rows/."""

import io
import re
from typing import NamedTuple

import pandas as pd

from samplerbench.errors import InputError, reading
from samplerbench.store.columns import CELL_OF_RUN, DOCUMENTED, TEXT, empty_frame, typed
from samplerbench.store.place import Place
from samplerbench.store.rows_apart import RowsApart
from samplerbench.store.sessions import read_facts

NOT_METRICS = ["run"]  # columns of merged reports, which become `StoredRows.runs`


class StoredRows(NamedTuple):
    """The rows of a run. runs: the column of a merged report. torn: a line without an end, which is not a row."""

    frame: pd.DataFrame
    runs: pd.Series | None
    torn: str


def read_rows(run: Place, path: Place) -> StoredRows:
    """The rows at `path`, which is in `run` or is `run` itself. Raises InputError for anything but whole rows."""
    try:
        in_run = (run / "run.json").exists()
        apart = RowsApart(run).texts() if in_run else []  # first, since they may move to the others meanwhile
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
    rows = _typed(path, frame.drop(columns=NOT_METRICS, errors="ignore"))
    runs = frame["run"].fillna("").astype(str) if "run" in frame else None
    if run != path and runs is None:
        rows = rows.drop_duplicates(CELL_OF_RUN, keep="last", ignore_index=True)
        rows = _in_order(run, rows) if apart else rows
    return StoredRows(rows, runs, torn)


def read_results(run: Place) -> pd.DataFrame:
    """The rows of a run directory or a CSV. Raises InputError if there are none, or they are another tool's.

    Of a running or killed run, these are the rows that are complete, and of several of one cell the last.
    """
    return read_rows(run, _file(run)).frame


def read_apart(path: Place) -> dict:
    """The row of a file of `RowsApart`. Raises OSError, or InputError if it is damaged."""
    (row,) = _typed(path, _parsed(path, path.read_text(encoding="utf-8"))).to_dict("records")
    return row


def read_merged(run: Place) -> tuple[pd.DataFrame, pd.Series | None]:
    """The rows, and the run that each of them is from; None if they are all from the one that wrote them."""
    frame, runs, _ = read_rows(run, _file(run))
    return frame, runs


def _file(run: Place) -> Place:
    with reading(run):
        return run / "results.csv" if run.is_dir() else run


def _in_order(run: Place, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of the last session's sweep, after those that are not in it."""
    places = {cell: place for place, cell in enumerate(read_facts(run).get("planned", ()))}
    return rows.sort_values("cell", key=lambda cells: cells.map(places).fillna(-1), kind="stable", ignore_index=True)


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


def _typed(path: Place, frame: pd.DataFrame) -> pd.DataFrame:
    try:
        return typed(frame)
    except (ValueError, TypeError) as error:
        raise InputError(f"{str(path)!r} holds something else than a number where one belongs: {error}.") from error


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
