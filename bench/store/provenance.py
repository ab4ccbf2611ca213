"""Where a number comes from: hashes of its inputs, and the machine it was measured on."""

import hashlib
import inspect
import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from samplerbench import methods, models

PACKAGES = "samplerbench torch torchvision torch-fidelity torchdiffeq numpy pandas scikit-learn".split()


def fingerprint(facts: object) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of some plain data."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


@cache
def code_digest(method: type) -> str:
    """The hash of the source that turns noise into images: a changed sampler is measured again."""
    folders = (Path(package.__file__).parent for package in (methods, models))
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    plugin = Path(inspect.getfile(method))
    return hashlib.sha256(b"".join(file.read_bytes() for file in (*files, plugin))).hexdigest()[:12]


@cache
def commit() -> str:
    """The commit of the source this runs from, with a + if it was changed since; empty outside a repository."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True).stdout

    try:
        if not git("ls-files", Path(__file__).name):  # installed inside some other repository
            return ""
        return git("rev-parse", "--short=12", "HEAD").strip() + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def device_name(device: torch.device) -> str:
    """The GPU's name, or the processor's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def environment(device: torch.device) -> dict:
    """The machine and the versions, for run.json."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": f"{device} ({device_name(device)})",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def utc_now() -> str:
    """The present time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
