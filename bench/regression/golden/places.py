"""The options of `bench golden` that say where things are and how to run. No torch."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Where things are, and how to run."""

    checkpoints: Path = field(
        default=Path("checkpoints"), metadata={"help": "Where the published files are.", "metavar": "DIR"}
    )
    data_root: Path = field(default=Path("data"), metadata={"help": "Where CIFAR-10 is.", "metavar": "DIR"})
    download: bool = field(default=False, metadata={"help": "Allow downloading CIFAR-10 and Inception's weights."})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda, cuda:1, ..."})
    batch_size: int | None = field(
        default=None, metadata={"help": "Images at a time.", "metavar": "N", "shown": "the figure's", "min": 1}
    )
    output: Path = field(
        default=Path("results/golden"),
        metadata={"help": "Where golden.csv, golden.md and the runs go.", "metavar": "DIR"},
    )
