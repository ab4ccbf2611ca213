from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from samplerbench.models.research.config import Config, Range


@dataclass(frozen=True)
class Small(Config):
    """A configuration with a field of each kind."""

    width: Annotated[int, Range(1, 64)]
    rates: tuple[Annotated[float, Range(0, 1)], ...] = ()
    kind: Literal["a", "b"] = "a"
    new: bool = False


GOOD = {"width": 8, "rates": [0.5, 1], "kind": "b", "new": True}


def test_it_is_read_back_from_its_values():
    made = Small.read(GOOD)
    assert made == Small(8, (0.5, 1), "b", True)
    assert Small.read(made.values) == made


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"width": 65}, "width must lie between 1 and 64, not 65"), ({"width": 8.0}, "width must be int, not 8.0"),
        ({"width": True}, "width must be int, not True"), ({"width": "8" * 99}, f"not '{'8' * 60}'$"),
        ({"width": 10**60}, "not a huge number"), ({"rates": 0.5}, "rates must be a list of at most 16 numbers"),
        ({"rates": [0.5] * 17}, "at most 16 numbers, not tuple"), ({"rates": [float("nan")]}, "rates must lie between"),
        ({"rates": [[0.5]]}, "rates must be float, not list"), ({"kind": "c"}, "kind must be one of a, b, not 'c'"),
        ({"kind": ["a"]}, "kind must be one of a, b, not tuple"), ({"new": 1}, "new must be bool, not 1"),
        ({"more": 1}, "Small has no option 'more'"),
    ],
)  # fmt: skip
def test_other_values_are_refused(changes, reason):
    with pytest.raises(ValueError, match=reason):
        Small.read(GOOD | changes)


def test_something_else_is_refused():
    with pytest.raises(ValueError, match="Small lacks width"):
        Small.read({})
    with pytest.raises(ValueError, match="list is no configuration"):
        Small.read([1])
