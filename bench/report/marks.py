"""Rows to be read with care, each with a mark in the table and its meaning below."""

from collections.abc import Callable, Mapping
from math import nan
from typing import Any, NamedTuple

import pandas as pd

from samplerbench.report.formats import number

REPEATED = 1e-3  # pixels of [-1, 1]: less may be the arithmetic of a GPU
SAME_ORDER = 0.2  # difference between the fitted and the declared order, as in the contract


class Mark(NamedTuple):
    """text: the mark of a row, "" if it has none. meaning: for the reader of the report.

    defect: whether it says that a sampler is not what it claims, which no reader must miss.
    """

    text: Callable[[Mapping[str, Any]], str]
    meaning: str
    defect: bool = False


def _number(row: Mapping[str, Any], name: str) -> float:
    """NaN, which compares with nothing, where older or failed rows have no such number."""
    return float(row.get(name, nan))


def _below_floor(row: Mapping[str, Any]) -> str:
    return "below floor" if _number(row, "fid") < _number(row, "fid_floor") else ""


def _above_ceiling(row: Mapping[str, Any]) -> str:
    return "above ceiling" if _number(row, "fid") > _number(row, "fid_ceiling") else ""


def _another_order(row: Mapping[str, Any]) -> str:
    fitted, declared = _number(row, "order"), _number(row, "order_declared")
    return f"order {number(fitted)}, not {declared:g}" if abs(fitted - declared) > SAME_ORDER else ""


def _not_repeatable(row: Mapping[str, Any]) -> str:
    return "not repeatable" if _number(row, "redraw_difference") > REPEATED else ""


MARKS = (
    Mark(
        _below_floor,
        "`below floor`: a lower FID than held-out real images. The floor is one draw, with the spread that follows its "
        "±. Beyond that, look at novelty: repeating training images lowers a FID, too.",
    ),
    Mark(_above_ceiling, "`above ceiling`: a higher FID than pure noise; the sampler diverges in so few steps."),
    Mark(
        _another_order,
        f"`order`: the order fitted on exact data differs from the declared one by more than {SAME_ORDER}; the sampler "
        "or its declaration is wrong.",
        defect=True,
    ),
    Mark(
        _not_repeatable,
        "`not repeatable`: an image drawn twice with the same noise differs. The sampler has randomness of its own, so "
        "its row cannot be measured again.",
        defect=True,
    ),
)


def marks(row: Mapping[str, Any]) -> str:
    """The marks of a row, separated by commas."""
    return ", ".join(filter(None, (mark.text(row) for mark in MARKS)))


def defects(rows: pd.DataFrame) -> list[str]:
    """A sentence for each sampler that is not what it claims."""
    found: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        found.setdefault(str(row["name"]), []).extend(mark.text(row) for mark in MARKS if mark.defect)
    texts = {name: ", ".join(dict.fromkeys(filter(None, each))) for name, each in found.items()}
    return [f"`{name}` is not what it claims: {text}." for name, text in texts.items() if text]


def meanings(rows: pd.DataFrame) -> list[str]:
    """The meanings of the marks that occur."""
    records = rows.to_dict("records")
    return [mark.meaning for mark in MARKS if any(map(mark.text, records))]
