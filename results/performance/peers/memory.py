"""Peak memory of scoring N samples, in a fresh process: `python memory.py statistics|torch-fidelity|run N` prints MB.

It is the high-water mark of the process (VmHWM), which includes torch itself and what libraries allocate; tracemalloc
sees neither, and ru_maxrss of a child starts from its parent's.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from samplerbench.sampling.timing import PeakMemory

WIDTH, BATCH = 2048, 256
WORK = {
    "statistics": ("samplerbench", f"FID of {WIDTH} features"),
    "torch-fidelity": ("torch-fidelity", f"FID of {WIDTH} features"),
    "run": ("samplerbench", "bench run with fid"),
}


def growth(work: str, few: int, many: int) -> dict:
    """A row: the peaks at both counts, and their ratio."""
    low, high = (_peak(work, count) for count in (few, many))
    peer, text = WORK[work]
    return {"section": "memory", "work": f"{text}, {few:,} and {many:,} samples", "peer": peer, "mb_few": low,
            "mb_many": high, "ratio": high / low}  # fmt: skip


def _peak(work: str, count: int) -> float:
    command = [sys.executable, __file__, work, str(count)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])


def statistics(count: int) -> None:
    """Ours, streamed, up to the distance."""
    from samplerbench.metrics.frechet import Reference, Statistics

    samples = Statistics(WIDTH)
    for size in _sizes(count):
        samples.update(torch.randn(size, WIDTH))
    Reference(samples).distance(samples)


def fidelity(count: int) -> None:
    """torch-fidelity's, which holds all features; its distance needs no memory that grows with their number."""
    from torch_fidelity.metric_fid import fid_features_to_statistics

    fid_features_to_statistics(torch.cat([torch.randn(size, WIDTH) for size in _sizes(count)]))


def whole_run(count: int) -> None:
    """A whole run: images sampled, their features extracted and scored."""
    from samplerbench import run

    with tempfile.TemporaryDirectory() as folder:
        run("ddim", steps=1, samples=count, metrics="fid", timing=False, output=Path(folder) / "run")


def _sizes(count: int) -> list[int]:
    return [min(BATCH, count - start) for start in range(0, count, BATCH)]


if __name__ == "__main__":
    name, number = sys.argv[1:]
    with PeakMemory(torch.device("cpu")) as peak:
        {"statistics": statistics, "torch-fidelity": fidelity, "run": whole_run}[name](int(number))
    if peak.megabytes is None:
        sys.exit("Peak memory is measured on Linux only.")
    print(peak.megabytes)
