"""One trial: a sweep that a fault strikes, in a folder of its own, and then the same command again."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd

from samplerbench.errors import InputError
from samplerbench.regression.crash.outcome import Verdict
from samplerbench.regression.crash.process import Process
from samplerbench.regression.crash.setting import Setting
from samplerbench.store.stored_rows import read_results

APART = ["utc", "command"]  # columns in which equal rows may differ; the sweep has no timings
LIMIT, LEAST_S = 20.0, 300.0  # a command is stuck after so many times the undisturbed seconds, but not before these
PAGE = 4096  # bytes in which a tmpfs deals out its room


@dataclass(frozen=True)
class Undisturbed:
    """The run that nothing happens to.

    rows: by cell, without `APART`. seconds: from its start to its end. room: bytes that it takes on a tmpfs.
    """

    run: Path
    rows: pd.DataFrame
    seconds: float
    room: int


def measure_undisturbed(setting: Setting) -> Undisturbed:
    """Raises InputError, with what the command printed, if it fails by itself."""
    folder = setting.folder / "undisturbed"
    folder.mkdir()
    began = time.monotonic()
    with Process(setting.run(), folder, setting.environment(folder), folder / "output.log") as process:
        if process.wait():
            raise InputError(f"The sweep fails without any fault: {process.last_line}")
    seconds, run = time.monotonic() - began, folder / "run"
    files = [path for path in run.rglob("*") if path.is_file()]
    return Undisturbed(run, _rows(run), seconds, sum(-(-path.stat().st_size // PAGE) * PAGE for path in files))


class Trial:
    """A fault calls `started` or `cut_off`, damages what it likes, and then `mark`; `verdict` does the rest.

    run: the run directory. rng: of everything random. more: options that the fault adds to the command.
    problem: the first thing that went wrong, in a sentence.
    """

    def __init__(self, folder: Path, setting: Setting, undisturbed: Undisturbed, rng: Random, *more: str):
        self.folder, self.setting, self.undisturbed, self.rng, self.more = folder, setting, undisturbed, rng, more
        self.run, self.problem = folder / "run", ""
        self._processes = self._sampled_before = 0
        self._kept: Counter[int] = Counter()
        folder.mkdir()

    @contextmanager
    def started(self) -> Iterator[Process]:
        """A block in which the command runs; when it is left by it, what the command left behind is counted."""
        output = self.folder / f"output-{time.monotonic_ns()}.log"
        words, environment = self.setting.run(*self.more), self.setting.environment(self.folder)
        with Process(words, self.folder, environment, output) as process:
            yield process
            self._processes += process.left()

    def moment(self) -> float:
        """A random moment of the undisturbed run, in seconds after its start."""
        return self.rng.uniform(0, self.undisturbed.seconds)

    def cut_off(self, alone: bool = False) -> bool:
        """Start the command and kill it, or its parent alone, at a random moment; False if it had ended by then."""
        with self.started() as process:
            code = process.wait(self.moment())
            if alone:
                process.kill_parent()
            else:
                process.kill()
        if code:
            self.fail(f"it ended with {code} before the kill: {process.last_line}")
        return code is None

    def ended(self, process: Process, *codes: int) -> int:
        """Wait for the end of a command, which must have one of these exit codes; returns the code."""
        limit = max(LEAST_S, LIMIT * self.undisturbed.seconds)
        code = process.wait(limit)
        if code is None:
            process.kill()
            self.fail(f"it still ran after {limit:.0f} s")
        elif code not in codes or "Traceback (most recent call last)" in process.text:
            self.fail(f"it ended with {code}: {process.last_line}")
        return -1 if code is None else code

    def fail(self, problem: str) -> None:
        """Note the first problem."""
        self.problem = self.problem or problem

    def mark(self) -> None:
        """From now on, no block that is on disk may be measured again."""
        self._kept, self._sampled_before = self._blocks_on_disk(), len(self._sampled())

    def verdict(self) -> Verdict:
        """Repeat the command, and compare what it leaves with the undisturbed run."""
        with self.started() as process:
            self.ended(process, 0)
        if self.problem:
            return Verdict(False, processes=self._processes, problem=self.problem)
        again = Counter(self._sampled()[self._sampled_before :])
        blocks = self.setting.size.blocks
        twice = sum(max(0, count - (blocks - self._kept[steps])) for steps, count in again.items())
        same = _rows(self.run).equals(self.undisturbed.rows)
        locks = [*self.run.rglob("*.lock*"), *self.run.rglob("*.partial")]
        return Verdict(same, twice, self._processes, len(locks))

    def _sampled(self) -> list[int]:
        """The steps of all batches that were sampled so far, each of them a whole block."""
        log = self.folder / "sampled.log"
        return [int(line) for line in log.read_text(encoding="utf-8").split()] if log.exists() else []

    def _blocks_on_disk(self) -> Counter[int]:
        """By steps, the blocks that are in a row, or are kept for one."""
        steps = dict(zip(self.undisturbed.rows.index, self.undisturbed.rows["steps"].astype(int), strict=True))
        found = Counter(steps[file.name.partition("-")[0]] for file in self.run.glob("units/*.npz") if _readable(file))
        with suppress(InputError):  # no results yet
            rows = read_results(self.run)
            for cell in rows[rows["status"] == "ok"]["cell"]:
                found[steps[cell]] = self.setting.size.blocks
        return found


def _rows(run: Path) -> pd.DataFrame:
    return read_results(run).drop(columns=APART).set_index("cell").sort_index()


def _readable(file: Path) -> bool:
    try:
        with np.load(file) as arrays:
            dict(arrays)
    except Exception:  # numpy, zipfile and zlib each have their own
        return False
    return True
