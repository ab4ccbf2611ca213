"""The columns of results.csv that every run has, their types, and the values in their cells."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

# The documented columns, in their order. The metrics among them are described where they are computed.
DOCUMENTED = (
    "method options recipe dataset resolution grid steps nfe guidance seeds samples "
    "fid fid_ci_low fid_ci_high fid_floor kid kid_se precision recall "
    "latency_s latency_iqr_s images_per_s forward_s overhead_ratio peak_memory_mb gflops_per_image "
    "device dtype batch_size compiled status error cell protocol commit utc"
).split()
ADDED = (  # since then: older results may lack them
    "scores_per_seed latency_p95_s inner_ratio compile_s warmup_s threads noisy "
    "latency_per_round overhead_per_round inner_per_round environment own_grid "
    "teacher train_iterations train_seconds teacher_nfe command weights redraw_difference "
    "condition network_s sampler_s decoder_s cuda_graph host exclusive"
).split()
NAMES = DOCUMENTED + ADDED
TEXT = (
    "method options recipe dataset grid guidance seeds device dtype compiled status error cell protocol commit utc "
    "scores_per_seed noisy latency_per_round overhead_per_round inner_per_round environment own_grid teacher command "
    "weights condition cuda_graph host exclusive"
).split()
WHOLE = "resolution steps samples batch_size threads train_iterations teacher_nfe".split()
# What makes two rows the same cell, on whatever machine they were measured.
CELL = (
    "method options recipe dataset grid steps guidance condition seeds samples dtype batch_size compiled cuda_graph"
).split()
# What makes two rows of a run the same cell: of these the last one counts.
CELL_OF_RUN = [*CELL, "device"]


def empty_frame(columns: Iterable[str] = ()) -> pd.DataFrame:
    """No rows, with the store's columns and these."""
    return typed(pd.DataFrame(columns=[*dict.fromkeys([*NAMES, *columns])]))


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with every column of the store: text with "" for nothing, whole numbers as Int64, the rest as floats.

    Columns beyond the store's are the metrics', which are numbers. Raises ValueError or TypeError for other values.
    """
    metrics = [column for column in frame.columns if column not in NAMES]
    frame = frame.reindex(columns=[*NAMES, *metrics])
    numbers = [column for column in frame.columns if column not in (*TEXT, *WHOLE)]
    frame[TEXT] = frame[TEXT].astype(object).where(frame[TEXT].notna(), "")
    frame[WHOLE] = frame[WHOLE].astype("Int64")
    frame[numbers] = frame[numbers].astype("float64")
    return frame


def to_csv(frame: pd.DataFrame) -> str:
    """The rows as CSV, which reads back the same."""
    return frame.to_csv(index=False, float_format=_shortest)


def to_line(row: Mapping[str, Any], columns: Iterable[str]) -> str:
    """One row as the line that `to_csv` would write. Raises ValueError or TypeError for text where a number belongs."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_text(column, row.get(column)) for column in columns])
    return line.getvalue()


def joined(values: Iterable[float]) -> str:
    """Several numbers in one cell of the CSV, to six digits; `split_numbers` reads them."""
    return " ".join(f"{value:.6g}" for value in values)


def split_numbers(text: str) -> np.ndarray:
    """The numbers that `joined` wrote."""
    return np.array(text.split(), dtype=np.float64)


def blocks(row: Mapping[str, Any], metric: str = "fid") -> np.ndarray:
    """The values of a metric, one for each seed block; its mean alone if they were not kept."""
    try:
        values = json.loads(row["scores_per_seed"] or "{}").get(metric)
    except (ValueError, AttributeError):  # not JSON, or not an object
        values = None
    return np.array(values or [row.get(metric, np.nan)], dtype=np.float64)


def identity(row: Mapping[str, object], columns: Iterable[str] = CELL) -> tuple:
    """What makes two rows the same cell: everything that says how it was made."""
    values = (row.get(column) for column in columns)
    return tuple("" if value is None or pd.isna(value) else value for value in values)


def _text(column: str, value: Any) -> str:
    """A value as it is written in a column; a row is one line, so that one cut short is recognised."""
    if value is None or pd.isna(value):
        return ""
    if column in TEXT:
        return " ".join(str(value).splitlines())
    return str(int(value)) if column in WHOLE else _shortest(value)


def _shortest(value: float) -> str:
    """Enough digits to read the same number back, and no `.0` on whole ones."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(float(value))
