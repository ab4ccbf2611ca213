"""Run directories, filled row by row."""

from pathlib import Path

import pytest

from samplerbench.store.run_directory import RunDirectory

FACTS = {
    "command": "bench run --methods a", "sweep": {"methods": ["a"]}, "environment": {"device": "cpu"},
    "checkpoints": {"ddpm": "shipped 1"}, "grids": {}, "protocol": "p", "quality": None,
    "columns": [{"name": "fid"}], "commit": "c", "utc": "2026-01-01T00:00:00+00:00",
}  # fmt: skip


@pytest.fixture(scope="session")
def facts() -> dict:
    """What a session records in run.json."""
    return FACTS


@pytest.fixture(scope="session")
def fill():
    """fill(folder, *rows, metrics=...): write rows as a session does, and leave the directory as it does."""

    def fill(folder: Path, *rows: dict, metrics: tuple[str, ...] = ("fid_floor_sd",)) -> RunDirectory:
        with RunDirectory(folder, metrics) as store:
            store.describe(FACTS)
            store.write()
            for row in rows:
                store.add(row)
        return store

    return fill
