"""The options of `bench likelihood`, declared once. No torch."""

from dataclasses import dataclass, field
from pathlib import Path

from samplerbench.sweep.options import SEED, as_in_run


@dataclass(frozen=True)
class LikelihoodOptions:
    """The options of `bench likelihood`. None means not given."""

    recipes: str = field(default="ddpm,flow", metadata={"metavar": "[RECIPES]"})
    dataset: str = field(default="digits", metadata={"help": "Whose images to measure.", "metavar": "NAME"})
    images: int = field(default=64, metadata={"help": "Of each split: the first ones.", "min": 2})
    estimators: str | None = field(
        default=None,
        metadata={
            "help": "ode, bound, exact.",
            "metavar": "NAMES",
            "shown": "ode,bound; ode,exact on data with a closed form",
        },
    )
    steps: int | None = field(
        default=None, metadata={"help": "Length of the bound's chain.", "shown": "1000", "min": 1, "max": 100_000}
    )
    levels: int | None = field(
        default=None,
        metadata={
            "help": "Of brightness, as many as pixels may have: the digits have 17.",
            "shown": "256",
            "min": 2,
            "max": 256,
        },
    )
    seed: int = field(default=0, metadata=SEED)
    batch_size: int = field(default=64, metadata={"help": "Images at a time.", "min": 1})
    output: Path | None = field(
        default=None,
        metadata={"help": "Where likelihood.csv goes.", "metavar": "DIR", "shown": "results/likelihood"},
    )
    device: str = as_in_run("device")
    weights: str | None = as_in_run("weights")
    data_root: str | None = as_in_run("data_root")
    download: bool = as_in_run("download", help="Allow downloading the data set.")
