"""Time grids from files: times tuned for one method, on one noise path."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path as FilePath
from typing import Any, ClassVar

import torch

from samplerbench.methods.core.grid import GRIDS, Grid
from samplerbench.methods.core.plugin import SpecError


@dataclass(frozen=True)
class TunedGrid(Grid):
    """The times that `bench tune` found, for the step counts and the noise path it was run on."""

    file: str

    format: ClassVar[str] = "samplerbench grid 1"

    def __str__(self) -> str:
        return self.file

    def times(self, steps, path):
        if self.content["path"] != repr(path):
            raise SpecError(
                f"The grid file {self.file!r} was tuned on the path {self.content['path']}; on {path!r} its times are "
                f"other noise levels: use the recipe {self.content['recipe']}, or tune a grid for this path."
            )
        if str(steps) not in self.content["times"]:
            raise SpecError(
                f"The grid file {self.file!r} has no {steps} steps, only {', '.join(self.content['times'])}: "
                f"use one of these, or tune that step count with `bench tune {self.content['method']}`."
            )
        return torch.tensor(self.content["times"][str(steps)], dtype=torch.float64)

    @cached_property
    def content(self) -> Mapping[str, Any]:
        """The content of the file. Raises SpecError if it is missing or not a grid file."""
        try:
            found = json.loads(FilePath(self.file).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SpecError(f"There is no grid file at {self.file!r}: create one with `bench tune METHOD`.") from None
        except (OSError, ValueError) as error:
            raise SpecError(f"{self.file!r} cannot be read as a grid file of `bench tune`: {error}.") from error
        problem = _problem(found)
        if problem:
            raise SpecError(f"{self.file!r} is not a grid file of `bench tune`: {problem}.")
        return found

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of its path and times."""
        facts = json.dumps([self.content["path"], self.content["times"]], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:12]


def is_grid_file(spec: str) -> bool:
    """Whether a grid spec is the path of a grid file."""
    return spec.endswith(".json") or "/" in spec


def get_grid(spec: str) -> Grid:
    """The grid of a spec such as `karras[rho=5]`, or of a grid file's path. Raises SpecError if it is invalid."""
    if not is_grid_file(spec):
        return GRIDS.get(spec)
    grid = TunedGrid(spec)
    _ = grid.content  # raises if the file is invalid
    return grid


def _problem(found: object) -> str:
    """What is wrong with the content of a grid file; empty if it is valid."""
    if not isinstance(found, dict) or found.get("format") != TunedGrid.format:
        return f"it has no format {TunedGrid.format!r}"
    missing = [key for key in ("method", "recipe", "path") if not isinstance(found.get(key), str)]
    if missing:
        return f"it has no {missing[0]!r}"
    grids = found.get("times")
    if not isinstance(grids, dict) or not grids:
        return "it has no times"
    wrong = [steps for steps, times in grids.items() if not _is_grid(steps, times)]
    return (
        f"its times for {wrong[0]} steps are not {wrong[0]} + 1 numbers that decrease from at most 1 to at least 0"
        if wrong
        else ""
    )


def _is_grid(steps: str, times: object) -> bool:
    """Whether the times are `steps` + 1 numbers that decrease from at most 1 to 0, or to a time above it."""
    if not isinstance(times, list) or not all(type(t) in (int, float) for t in times) or str(len(times) - 1) != steps:
        return False
    return len(times) > 1 and times[0] <= 1 and times[-1] >= 0 and all(a > b for a, b in pairwise(times))
