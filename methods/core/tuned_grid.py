"""Time grids from a file: times that were searched for one method, with the path on which they mean something."""

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
class GridFile(Grid):
    """The times that `bench tune` found, for the step counts and the noise path that it searched."""

    file: str

    format: ClassVar[str] = "samplerbench grid 1"

    def __str__(self) -> str:
        return self.file

    def times(self, steps, path):
        if self.content["path"] != repr(path):
            raise SpecError(
                f"The grid file {self.file!r} was tuned on the path {self.content['path']}, not on {path!r}: its times "
                f"are other noise levels there; run it on the recipe {self.content['recipe']}, or tune another."
            )
        if str(steps) not in self.content["times"]:
            raise SpecError(
                f"The grid file {self.file!r} has no {steps} steps, only {', '.join(self.content['times'])}: ask for "
                f"one of these, or tune that budget with `bench tune {self.content['method']}`."
            )
        return torch.tensor(self.content["times"][str(steps)], dtype=torch.float64)

    @cached_property
    def content(self) -> Mapping[str, Any]:
        """What the file says. Raises SpecError if it is missing or no grid file."""
        try:
            found = json.loads(FilePath(self.file).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SpecError(f"There is no grid file at {self.file!r}: write one with `bench tune METHOD`.") from None
        except (OSError, ValueError) as error:
            raise SpecError(f"{self.file!r} cannot be read as a grid file of `bench tune`: {error}.") from error
        problem = _problem(found)
        if problem:
            raise SpecError(f"{self.file!r} is not a grid file of `bench tune`: {problem}.")
        return found

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of its times and its path."""
        facts = json.dumps([self.content["path"], self.content["times"]], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:12]


def is_grid_file(spec: str) -> bool:
    """Whether a grid is named by the path of a file."""
    return spec.endswith(".json") or "/" in spec


def get_grid(spec: str) -> Grid:
    """The grid that a spec such as `karras[rho=5]`, or a grid file's path, stands for. Raises SpecError."""
    if not is_grid_file(spec):
        return GRIDS.get(spec)
    grid = GridFile(spec)
    _ = grid.content  # raises now if there is something wrong with it
    return grid


def _problem(found: object) -> str:
    """What keeps the content of a file from being a grid file; empty if nothing does."""
    if not isinstance(found, dict) or found.get("format") != GridFile.format:
        return f"it has no format {GridFile.format!r}"
    missing = [key for key in ("method", "recipe", "path") if not isinstance(found.get(key), str)]
    if missing:
        return f"it has no {missing[0]!r}"
    grids = found.get("times")
    if not isinstance(grids, dict) or not grids:
        return "it has no times"
    wrong = [steps for steps, times in grids.items() if not _is_grid(steps, times)]
    return f"its times for {wrong[0]} steps do not fall from noise to data in as many intervals" if wrong else ""


def _is_grid(steps: str, times: object) -> bool:
    """Whether the times are `steps` + 1 numbers that fall from at most 1 to 0."""
    if not isinstance(times, list) or not all(type(t) in (int, float) for t in times) or str(len(times) - 1) != steps:
        return False
    return len(times) > 1 and times[0] <= 1 and times[-1] == 0 and all(a > b for a, b in pairwise(times))
