"""Where results come from: hashes of their inputs, and the machine they were measured on."""

import hashlib
import json
import os
import platform
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from samplerbench.store.repository import commit_of

if TYPE_CHECKING:  # reports and the gate need the rest of this module, and not the seconds that torch takes
    import torch

PACKAGES = "samplerbench torch torchvision torch-fidelity torchdiffeq numpy pandas scikit-learn".split()


def fingerprint(facts: object) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of plain data, as JSON."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


@cache
def commit() -> str:
    """The commit of this source, with a + if it had changes: of its clone, or as the build recorded it; else ""."""
    here = Path(__file__)
    recorded = here.parent.parent / "COMMIT"  # setup.py writes it into what it builds
    return commit_of(here) or (recorded.read_text(encoding="utf-8").strip() if recorded.is_file() else "")


def device_name(device: "torch.device") -> str:
    """The model of the GPU, or of the processor."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def environment(device: "torch.device") -> dict:
    """The machine and the versions of packages, for run.json."""
    import torch

    cuda = {
        "tf32": torch.backends.cudnn.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{device} ({device_name(device)})",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "packages": {name: version(name) for name in PACKAGES},
    } | ({"cuda": cuda} if device.type == "cuda" else {})


def utc_now() -> str:
    """The current time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
