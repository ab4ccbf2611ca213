"""What all trials of a campaign share: a sweep, its plug-in, and the folder that holds everything."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copy

PROBE = "crash_probe"
METADATA = f"Metadata-Version: 2.1\nName: {PROBE}\nVersion: 0\n"
ENTRY_POINT = f"[samplerbench.methods]\n{PROBE} = {PROBE}\n"


@dataclass(frozen=True)
class Size:
    """The size of the sweep: a cell for each number of steps, of so many seed blocks, of so many images."""

    steps: Sequence[int] = range(2, 14)
    blocks: int = 4
    samples: int = 64


@dataclass(frozen=True)
class Setting:
    """folder: of the campaign. workers, device: of its commands."""

    folder: Path
    workers: int
    device: str
    size: Size

    def run(self, *more: str) -> list[str]:
        """The words of the `bench run`, into `run` in the current folder."""
        size = self.size
        workers = ["--workers", str(self.workers)] if self.workers > 1 else []
        return [
            "run", "--methods", PROBE, "--data", "mixture", "--steps", ",".join(map(str, size.steps)),
            "--seeds", f"0-{size.blocks - 1}", "--samples", str(size.samples), "--batch-size", str(size.samples),
            "--metrics", "fid", "--no-timing", "--device", self.device, "--output", "run", *workers, *more,
        ]  # fmt: skip

    def environment(self, trial: Path) -> dict[str, str]:
        """The variables of a command whose plug-in records into the folder of this trial."""
        path = os.pathsep.join(filter(None, (str(self.folder), os.environ.get("PYTHONPATH"))))
        return {**os.environ, "PYTHONPATH": path, "SAMPLERBENCH_CRASH": str(trial)}


def install_probe(folder: Path) -> None:
    """Make the probe a plug-in of every command that has this folder on its path."""
    copy(Path(__file__).with_name("probe.py"), folder / f"{PROBE}.py")
    info = folder / f"{PROBE}-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA, encoding="utf-8")
    (info / "entry_points.txt").write_text(ENTRY_POINT, encoding="utf-8")
