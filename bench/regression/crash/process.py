"""A command of samplerbench in a session of its own, whose processes are all known from /proc."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import NamedTuple

POLL_S = 0.01
WATCH_S = 0.5  # between looks at /proc, each of which takes milliseconds
GRACE_S = 10.0  # in which workers notice that their parent has ended
ZOMBIE_S = 5.0  # how long a parent may take to collect the exit code of a worker
HELPERS = ("resource_tracker", "forkserver")  # of multiprocessing, which measure nothing


class Member(NamedTuple):
    """A process of a session. state: `Z` for one that has ended, and whose parent has not collected its exit code."""

    pid: int
    parent: int
    state: str


class Process:
    """A running command. left: how many processes it left behind, dead ones that it never collected included.

    output: the file that holds what it printed. On leaving a `with`, all of its processes are ended.
    """

    def __init__(self, words: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path):
        self.output, self._dead_since, self._uncollected = output, dict[int, float](), set[int]()
        self._watched = 0.0
        with output.open("wb") as file:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "samplerbench", *words], cwd=folder, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(encoding="utf-8", errors="replace")

    @property
    def last_line(self) -> str:
        """The last line of that, which is the sentence of an error."""
        return (self.text.strip().splitlines() or ["it printed nothing"])[-1]

    def wait(self, seconds: float = inf) -> int | None:
        """The exit code, negative for a signal; None if it still runs after so many seconds."""
        until = time.monotonic() + seconds
        while (code := self._popen.poll()) is None and time.monotonic() < until:
            self._watch()
            time.sleep(max(0.0, min(POLL_S, until - time.monotonic())))
        return code

    def workers(self) -> list[int]:
        """The processes that measure for the one that was started."""
        return [each.pid for each in self._alive() if each.pid != self._popen.pid and not _is_helper(each.pid)]

    def kill(self, pids: Sequence[int] | None = None) -> None:
        """SIGKILL to these processes, or to all, and collect the exit code of the first if it was among them."""
        for pid in [each.pid for each in self._alive()] if pids is None else pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if pids is None or self._popen.pid in pids:
            self._popen.wait()

    def kill_parent(self) -> None:
        """SIGKILL to the process that was started, and to no other."""
        self.kill([self._popen.pid])

    def left(self) -> int:
        """After the end of the first process: how many are still there, or were left uncollected. They are ended."""
        until = time.monotonic() + GRACE_S
        while (alive := self._alive()) and time.monotonic() < until:
            time.sleep(POLL_S)
        self.kill([each.pid for each in alive])
        return len(alive) + len(self._uncollected)

    def _alive(self) -> list[Member]:
        return [each for each in _session(self._popen.pid) if each.state not in "ZX"]

    def _watch(self) -> None:
        """Note the ended processes whose exit codes a parent that is alive leaves uncollected."""
        now = time.monotonic()
        if now - self._watched < WATCH_S:
            return
        self._watched, found = now, _session(self._popen.pid)
        alive = {each.pid for each in found if each.state not in "ZX"}
        dead = [each.pid for each in found if each.state == "Z" and each.parent in alive]
        self._dead_since = {pid: self._dead_since.get(pid, now) for pid in dead}
        self._uncollected |= {pid for pid, since in self._dead_since.items() if now - since > ZOMBIE_S}


def _session(leader: int) -> list[Member]:
    """The processes whose session is that of `leader`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError, ValueError):  # it has ended meanwhile
                state, parent, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == leader:
                    found.append(Member(int(entry.name), int(parent), state))
    return found


def _is_helper(pid: int) -> bool:
    with suppress(OSError):
        return any(name in Path(f"/proc/{pid}/cmdline").read_text(errors="replace") for name in HELPERS)
    return True  # it has ended meanwhile
