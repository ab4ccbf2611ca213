"""Shared by the tests of reports: a headless browser."""

import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --dump-dom".split()


@pytest.fixture
def dump_dom(tmp_path):
    """dump_dom(file, *flags): the HTML of a page after its scripts have run. Skips without Chromium."""
    if BROWSER is None:
        pytest.skip("no Chromium")

    def dump(file: Path, *flags: str) -> str:
        line = [BROWSER, *FLAGS, *flags, f"--user-data-dir={tmp_path / 'user'}", f"file://{file}"]
        return subprocess.run(line, capture_output=True, text=True, timeout=120).stdout

    return dump
