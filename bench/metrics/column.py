"""A column of results.csv as a metric declares it: what it is called, how it is written, what it means. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Better = Literal["lower", "higher", ""]
BLOCKS = "blocks"  # as a `spread`: the t-interval over the seed blocks


@dataclass(frozen=True)
class Column:
    """A column of results.csv. Store, tables, texts and the gate derive everything they need from it.

    name: in results.csv.
    label: its heading in tables; without one it is stored and not shown by itself (a floor, a standard error).
    better: which direction is an improvement; empty for a column that no rule compares.
    format: of a value, as in "{:.3f}"; three significant digits without one.
    meaning: one Markdown sentence for "How to read this". It may name the protocol's facts in braces, as {samples},
        and {label}. meaning_exact: the same on data with a closed form, where it differs.
    spread: the column that holds its standard error, or "blocks" for the t-interval over the seed blocks.
    floor, floor_spread, ceiling: the columns with the score of real images, its spread, and the score of noise.
    extractor: whether the label names the feature extractor, as FID (digits-cnn), unless that is Inception.
    label_exact: the label on data with a closed form, where it differs.
    wide: left out of the terminal's table, for want of width.
    """

    name: str
    label: str = ""
    better: Better = ""
    format: str = ""
    meaning: str = ""
    meaning_exact: str = ""
    spread: str = ""
    floor: str = ""
    floor_spread: str = ""
    ceiling: str = ""
    extractor: bool = False
    label_exact: str = ""
    wide: bool = False

    def to_json(self) -> dict[str, object]:
        """What run.json keeps of it: the fields that differ from their defaults."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) != field.default}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "Column":
        """The inverse of `to_json`; fields of later versions are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in facts.items() if name in known})


def literal(text: str) -> str:
    """Text as it stands in a column's `meaning`, in which braces name what a report fills in."""
    return text.replace("{", "{{").replace("}", "}}")
