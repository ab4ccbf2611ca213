"""What can happen to a run. A new fault is a class here, and its line in `FAULTS`."""

import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from samplerbench.regression.crash.tmpfs import remount, tmpfs, why_not
from samplerbench.regression.crash.trial import Trial

DAY = timedelta(days=1)
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")  # as `store.provenance.utc_now` writes it
CELL_TIMEOUT_S = 20
KILLED = -9


@dataclass(frozen=True)
class Fault(ABC):
    """name: in the table. kills: whether its trials are counted by --kills."""

    name: str

    kills: ClassVar[bool] = False

    def not_run(self, workers: int) -> str:
        """Why it can't be brought about on this machine with so many workers; empty if it can."""
        return ""

    def options(self, workers: int) -> list[str]:
        """What it adds to the command."""
        return []

    @contextmanager
    def around(self, trial: Trial) -> Iterator[None]:
        """A block around the whole trial, in which the run directory is as the fault needs it."""
        yield

    @abstractmethod
    def strike(self, trial: Trial) -> bool:
        """Run the command, let the fault happen, and mark what is on disk; returns False if it came too late."""


@dataclass(frozen=True)
class KillRun(Fault):
    """SIGKILL to all processes of the run, or to the one that was started alone."""

    alone: bool = False

    kills = True

    def not_run(self, workers):
        return "it needs --workers 2 or more" if self.alone and workers == 1 else ""

    def strike(self, trial):
        running = trial.cut_off(self.alone)
        trial.mark()
        return running


@dataclass(frozen=True)
class KillWorker(Fault):
    """SIGKILL to one of the workers: the run itself goes on to its end."""

    kills = True

    def not_run(self, workers):
        return "it needs --workers 2 or more" if workers == 1 else ""

    def strike(self, trial):
        with trial.started() as process:
            process.wait(trial.moment())
            workers = process.workers()
            trial.mark()
            process.kill(trial.rng.sample(workers, min(1, len(workers))))
            trial.ended(process, 0)
        return bool(workers)


@dataclass(frozen=True)
class FullDisk(Fault):
    """The run directory lies on a file system that is too small for it, and grows before the command is repeated."""

    def not_run(self, workers):
        return why_not()

    @contextmanager
    def around(self, trial):
        # Uniform in the logarithm, since the report takes most of the room, and the sweep must run out of it, too.
        with tmpfs(trial.run, int(trial.undisturbed.room * 0.9 ** (1 + 40 * trial.rng.random()))):
            yield

    def strike(self, trial):
        with trial.started() as process:
            trial.ended(process, 2)
        remount(trial.run, f"size={4 * trial.undisturbed.room}")
        trial.mark()
        return True


@dataclass(frozen=True)
class ReadOnly(Fault):
    """The file system of the run directory becomes read-only at a random moment, which stops root, too."""

    def not_run(self, workers):
        return why_not()

    @contextmanager
    def around(self, trial):
        with tmpfs(trial.run, 4 * trial.undisturbed.room):
            yield

    def strike(self, trial):
        with trial.started() as process:
            process.wait(trial.moment())
            while process.wait(0.001) is None and not _made_read_only(trial.run):
                pass
            code = trial.ended(process, 0, 2)
        remount(trial.run, "rw")
        trial.mark()
        return code != 0


@dataclass(frozen=True)
class Misbehaviour(Fault):
    """A sampler misbehaves in one cell: in the first batch, or in all of them until it is repaired.

    probe: what it does, as `probe.MISBEHAVIOURS` names it. codes: with which the run may end.
    """

    probe: str
    codes: tuple[int, ...]
    times: str = "once"

    def strike(self, trial):
        steps = trial.rng.choice(trial.setting.size.steps)
        armed = trial.folder / "armed"
        armed.write_text(f"{self.probe} {steps} {self.times}", encoding="utf-8")
        with trial.started() as process:
            trial.ended(process, *self.codes)
        armed.unlink(missing_ok=True)
        trial.mark()
        return True


@dataclass(frozen=True)
class Hang(Fault):
    """A sampler neither ends nor fails: a single process is killed, as by a scheduler; of workers, one is replaced."""

    def options(self, workers):
        return ["--cell-timeout", str(CELL_TIMEOUT_S)] if workers > 1 else []

    def strike(self, trial):
        steps = trial.rng.choice(trial.setting.size.steps)
        (trial.folder / "armed").write_text(f"hang {steps} once", encoding="utf-8")
        with trial.started() as process:
            if trial.setting.workers > 1:
                trial.ended(process, 0, 1)
            else:
                while process.wait(0.1) is None and not (trial.folder / "disarmed").exists():
                    pass
                process.kill()
        trial.mark()
        return (trial.folder / "disarmed").exists()


@dataclass(frozen=True)
class TruncatedResults(Fault):
    """results.csv of a finished run ends at a random byte."""

    def strike(self, trial):
        shutil.copytree(trial.undisturbed.run, trial.run)
        results = trial.run / "results.csv"
        os.truncate(results, trial.rng.randrange(results.stat().st_size))
        trial.mark()
        return True


@dataclass(frozen=True)
class DamagedFile(Fault):
    """After a kill, the middle of a file with raw data or a kept block is overwritten."""

    def strike(self, trial):
        trial.cut_off()
        files = sorted([*trial.run.glob("raw/*.npz"), *trial.run.glob("units/*.npz")])
        if files:
            file = trial.rng.choice(files)
            data = bytearray(file.read_bytes())
            data[len(data) // 4 : len(data) // 2] = trial.rng.randbytes(len(data) // 2 - len(data) // 4)
            file.write_bytes(data)
        trial.mark()
        return bool(files)


@dataclass(frozen=True)
class ClockBack(Fault):
    """The clock jumps back a day between two sessions: for the second one, all that the first wrote is of tomorrow."""

    def strike(self, trial):
        running = trial.cut_off()
        for file in trial.run.rglob("*"):
            if file.suffix in (".csv", ".json", ".lock"):
                file.write_text(UTC.sub(_tomorrow, file.read_text(encoding="utf-8")), encoding="utf-8")
            later = file.stat().st_mtime + DAY.total_seconds()
            os.utime(file, (later, later))
        trial.mark()
        return running and (trial.run / "run.json").exists()


FAULTS: tuple[Fault, ...] = (
    KillRun("kill -9 of the run with its workers"),
    KillRun("kill -9 of the run alone", alone=True),
    KillWorker("kill -9 of a worker"),
    FullDisk("the disk is full"),
    ReadOnly("the directory becomes read-only"),
    Hang("a sampler hangs"),
    Misbehaviour("a sampler returns NaN", "nan", (0, 1)),
    Misbehaviour("memory is refused", "refused", (0, 1)),
    Misbehaviour("a process is killed for its memory", "killed", (0, KILLED)),
    Misbehaviour("the same again at every attempt", "killed", (1, KILLED), "always"),
    TruncatedResults("results.csv is truncated"),
    DamagedFile("raw data are damaged"),
    ClockBack("the clock jumps back a day"),
)


def _tomorrow(found: re.Match[str]) -> str:
    return (datetime.fromisoformat(found[0]) + DAY).isoformat()


def _made_read_only(folder: Path) -> bool:
    """Whether it could be made read-only: not while a file in it is open for writing."""
    with suppress(OSError):
        remount(folder, "ro")
        return True
    return False
