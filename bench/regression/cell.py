"""The cells of a run: their names, and their rows by what identifies them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from samplerbench.store.columns import identity
from samplerbench.store.labels import guided, label


def cell_name(row: Mapping[str, Any]) -> str:
    """The name of a row's cell in sentences, as in `ddim, 10 steps, uniform, ddpm`."""
    steps = "" if pd.isna(row["steps"]) else f"{row['steps']} steps"
    return ", ".join(filter(None, (label(row), steps, row["grid"], row["recipe"], guided(row["guidance"]))))


def rows_by_cell(frame: pd.DataFrame) -> dict[tuple, pd.Series]:
    """The rows of a run by cell, on whatever machine they were measured."""
    return {identity(row): row for _, row in frame.iterrows()}
