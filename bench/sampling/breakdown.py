"""Where the wall time of a sweep goes, as seconds by part. Importing this does not import torch."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_UP = "start-up"  # from the start of the process to the sweep's first work
LOADING = "loading"  # data, networks, encoders; checking the options
NETWORK = "network"  # its evaluations while images are sampled
SAMPLER = "sampler"  # the rest of that
NOISE = "noise"
FORWARDS = "bare forwards"
DECODER = "decoder"  # images from latents, and to 256 levels
WARM_UP = "warm-up"  # before a cell is timed; counting operations, and the image that is drawn twice
FEATURES = "features"  # of generated and of real images
STATISTICS = "statistics"  # distances, and all else that metrics compute of features
SOLUTIONS = "solutions"  # metrics that run the sampler again or solve its ODE, and the images of teachers
FILES = "files"  # rows, raw data, run.json
WORKERS = "workers"  # waiting for them, whose own time is not split up
PROFILE = "profile"
REPORT = "report"
OTHER = "other"


class Breakdown:
    """Seconds of wall time by part, from its creation on, which sum to the total: each moment belongs to one part.

    A part inside another is not counted in that, and time outside all parts is `other`. It waits for no device: what a
    GPU does on its own is booked where the host waits for it.

    seconds: of each part, up to the last change of parts or `read`.
    """

    def __init__(self, start_up: float = 0.0):
        """start_up: the seconds that were spent before."""
        self.seconds = {START_UP: start_up} if start_up else {}
        self._parts, self._since = [OTHER], time.perf_counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Book the block to a part. No generator may yield inside it, since its caller's time would be booked too."""
        self.read()
        self._parts.append(name)
        try:
            yield
        finally:
            self.read()
            self._parts.pop()

    def move(self, name: str, seconds: float) -> None:
        """Book seconds of the current part, or all that it has, to another, for work that was timed by other means."""
        current = self._parts[-1]
        moved = min(seconds, self.read()[current])
        self.seconds[current] -= moved
        self.seconds[name] = self.seconds.get(name, 0.0) + moved

    def read(self) -> dict[str, float]:
        """Book the time up to now to the current part; returns the seconds by part."""
        now, current = time.perf_counter(), self._parts[-1]
        self.seconds[current] = self.seconds.get(current, 0.0) + now - self._since
        self._since = now
        return self.seconds


def process_age() -> float:
    """Seconds since this process started; its processor time where the system does not say (only Linux does)."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # since boot, as proc(5) describes
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, AttributeError, ValueError, IndexError):
        return time.process_time()
