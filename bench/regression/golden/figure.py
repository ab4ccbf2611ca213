"""Published figures and the checkpoints that they are about, as figures.toml has them."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samplerbench.errors import InputError, nearest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("figures.toml")
UNKNOWN = "not recorded"
LOWER, UPPER, LEAST = 0.01, 0.02, 0.03  # of an allowed interval: relative, and at least absolute


@dataclass(frozen=True)
class Checkpoint:
    """Where a network comes from.

    file: its name in the folder of checkpoints; empty for networks that need none.
    source: where it is published. licence: of its weights.
    spec: what `--model` takes, with {file} for its path; empty for networks that come with the package.
    family: of `bench import`, for a file that needs it.
    ema: what is known of the averaging of its weights.
    """

    name: str
    file: str = ""
    source: str = ""
    licence: str = ""
    spec: str = ""
    family: str = ""
    ema: str = UNKNOWN


@dataclass(frozen=True)
class Data:
    """Where the real images come from. source: where they are published.

    place: the name of the folder in `--data-root`; or, of `statistics` alone, of the .npz file beside the checkpoints.
    """

    place: str
    source: str
    statistics: bool = False


@dataclass(frozen=True)
class Figure:
    """A published figure and the sweep of one cell that measures it again.

    column: of results.csv, or `difference` for images that are compared with diffusers' own, pixel by pixel.
    published: the figure, as `source` prints it. allowed: the interval that meets it.
    nfe: evaluations per image as published, which ours must count too; 0 for an adaptive solver.
    options: of `Sweep`, or of a pipeline. data: the set that it needs on disk.
    facts: what the source says of labels, quantisation and the reference.
    """

    name: str
    tier: int
    checkpoint: Checkpoint
    column: str
    published: float
    source: str
    nfe: int
    options: Mapping[str, Any]
    facts: Mapping[str, str] = field(default_factory=dict)
    data: Data | None = None
    bounds: tuple[float, float] | None = None

    @property
    def allowed(self) -> tuple[float, float]:
        """From -1 % to +2 %, but at least 0.03 either way, unless the figure has bounds of its own."""
        if self.bounds:
            return self.bounds
        below, above = (max(share * abs(self.published), LEAST) for share in (LOWER, UPPER))
        return self.published - below, self.published + above

    @property
    def method(self) -> str:
        """Its spec."""
        return str(self.options["methods"])

    @property
    def samples(self) -> int:
        """Images per seed block."""
        return int(self.options["samples"])


def read_figures(file: Path = FILE) -> list[Figure]:
    """All figures, by tier."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    checkpoints = {name: Checkpoint(name, **facts) for name, facts in table["checkpoint"].items()}
    data = {name: Data(**facts) for name, facts in table["data"].items()}
    shared = table["common"]
    figures = [_figure({**shared[each["common"]], **each}, checkpoints, data) for each in table["figure"]]
    return sorted(figures, key=lambda figure: figure.tier)


def _figure(whole: dict[str, Any], checkpoints: Mapping[str, Checkpoint], data: Mapping[str, Data]) -> Figure:
    """A [[figure]], with what it shares with others."""
    own = {name: whole.pop(name) for name in ("name", "tier", "column", "published", "source", "nfe")}
    own |= {"checkpoint": checkpoints[whole.pop("checkpoint")], "facts": whole.pop("facts", {})}
    bounds, _ = whole.pop("allowed", None), whole.pop("common")
    return Figure(**own, options=whole, data=data.get(whole.get("data", "")), bounds=tuple(bounds) if bounds else None)


def chosen(figures: Sequence[Figure], names: Sequence[str], tier: int | None) -> list[Figure]:
    """The figures of these names, or all up to a tier. Raises InputError for a name or tier that there is not."""
    known = [figure.name for figure in figures]
    for name in names:
        if name not in known:
            raise InputError(f"No published figure is named {name!r}. {nearest(name, known)}")
    highest = max(figure.tier for figure in figures)
    if tier is not None and not 0 <= tier <= highest:
        raise InputError(f"--tier goes from 0 to {highest}, not {tier}.")
    if names and tier is not None:
        raise InputError("Name figures or give --tier, not both.")
    return [figure for figure in figures if (figure.name in names if names else tier is None or figure.tier <= tier)]
