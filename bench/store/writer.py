"""A process that writes to a run directory, and whether it still runs."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from samplerbench.store.provenance import utc_now


@dataclass(frozen=True)
class Writer:
    """A process that writes, and since when.

    host, machine, boot, namespace: where its process ID means something. started: tells it from a later process with
    the same ID. All of these are "" where the system does not say. beat_s: how often it renews its lock; 0 for older
    versions, which do not. brief: whether it holds the lock for moments only, as sessions of a joined sweep do.
    """

    token: str
    host: str
    machine: str
    boot: str
    namespace: str
    pid: int
    started: str | None
    since: str
    beat_s: float = 0.0
    brief: bool = False

    @classmethod
    def this(cls, beat_s: float = 0.0, brief: bool = False) -> "Writer":
        """This process, under a token that no other call has."""
        pid, where = os.getpid(), (socket.gethostname(), *_machine())
        return cls(uuid4().hex[:12], *where, pid, _start_time(pid), utc_now(), beat_s, brief)

    def gone(self) -> bool | None:
        """Whether the process has ended; None if that cannot be found out from here."""
        machine, boot, namespace = _machine()
        if (self.host, self.machine) != (socket.gethostname(), machine):
            return None
        if self.boot != boot:
            return True if machine else None  # rebooted, unless it is another machine with the same name
        if self.namespace != namespace:
            return None
        started = _start_time(self.pid)
        return None if started is None else started != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since[:16].replace('T', ' ')} UTC"


def _machine() -> tuple[str, str, str]:
    """The IDs of the machine, of its last boot, and of the namespace of process IDs."""
    return _text("/etc/machine-id"), _text("/proc/sys/kernel/random/boot_id"), _namespace()


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _start_time(pid: int) -> str | None:
    """When a process started, in the system's own units; "" if there is none, None if that cannot be found out."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return "" if state in "ZX" else fields[18]  # a zombie has ended
    except (OSError, ValueError):
        pass
    if os.name != "posix":  # elsewhere signal 0 is not a mere question
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return None
