"""Rows as a run would write them, and a small git repository."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samplerbench.store.columns import empty_frame, joined, typed

COUNT = 5  # seed blocks


@pytest.fixture(scope="session")
def make_row() -> Callable[..., dict]:
    """A row whose FIDs share the noise of their seed blocks, and whose rounds share nothing with those of other rows.

    seed: of what differs between equal runs. worse, slower: factors of FID, and of the timings.
    """

    def make(seed: int, method: str = "ddim", worse: float = 1.0, slower: float = 1.0, noise_seed: int = 0, **changes):
        def normal(stream: int, count: int) -> np.ndarray:
            return np.random.default_rng(seed + stream).standard_normal(count)

        blocks = 3.0 + 0.3 * np.random.default_rng(noise_seed).standard_normal(COUNT)
        fids = worse * blocks + 0.01 * normal(0, COUNT)
        recall = 0.8 - 0.1 * (worse - 1) + 0.002 * normal(0, COUNT)
        overhead, inner = slower * (1.0 + 0.03 * normal(1000, 8)), slower * (1.0 + 0.002 * normal(2000, 8))
        latency = slower * (1.0 + 0.5 * np.random.default_rng(seed + 3000).random(8))
        row = {
            "method": method, "recipe": "ddpm", "dataset": "digits", "resolution": 8, "grid": "uniform", "steps": 10,
            "nfe": 10, "gflops_per_image": 1.0, "seeds": "0,1,2,3,4", "samples": 1000, "fid": fids.mean(),
            "recall": recall.mean(), "scores_per_seed": json.dumps({"fid": fids.tolist(), "recall": recall.tolist()}),
            "overhead_ratio": np.median(overhead), "overhead_per_round": joined(overhead), "fid_floor_sd": 0.05,
            "inner_ratio": np.median(inner), "inner_per_round": joined(inner), "latency_s": np.median(latency),
            "latency_per_round": joined(latency), "dtype": "float32", "batch_size": 256, "compiled": "false",
            "status": "ok", "protocol": "p", "cell": f"{seed}", "environment": "e",
        }  # fmt: skip
        return row | changes

    return make


@pytest.fixture(scope="session")
def make_frame() -> Callable[..., pd.DataFrame]:
    """The frame of some rows, with all columns of the store."""

    def make(*rows: dict) -> pd.DataFrame:
        names = dict.fromkeys(name for row in rows for name in row)
        return typed(pd.DataFrame(list(rows)).reindex(columns=[*dict.fromkeys([*empty_frame().columns, *names])]))

    return make


BACKEND = """
import zipfile
from pathlib import Path

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    info, name = "plugin-1.dist-info", "plugin-1-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w") as wheel:
        for file in Path("LAYOUT").rglob("*.py"):
            wheel.write(file, file.relative_to("LAYOUT"))
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: plugin\\nVersion: 1\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt", "[samplerbench.methods]\\nplugin = plugin\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


@pytest.fixture(scope="session")
def packaging() -> Callable[[str], dict[str, str]]:
    """packaging(layout): the files that make a folder a package whose source is in `layout`, without any build tool."""
    settings = '[build-system]\nrequires = []\nbuild-backend = "build_it"\nbackend-path = ["."]\n'
    return lambda layout: {"pyproject.toml": settings, "build_it.py": BACKEND.replace("LAYOUT", layout)}


@pytest.fixture
def git(tmp_path, monkeypatch) -> Callable[..., str]:
    """Runs git in a new repository, which is the current folder."""
    folder: Path = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> str:
        command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    run("init")
    return run
