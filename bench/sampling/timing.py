"""Wall time, warm-up, peak memory and floating-point operations."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

T = TypeVar("T")

WINDOW, WINDOWS = 3, 10  # calls in a window of the warm-up, and windows at most
AGREE = 0.1  # the relative difference of two medians that ends the warm-up


class Stopwatch:
    """Seconds of each lap: by CUDA events on a GPU, which do not block, and by the wall clock elsewhere."""

    def __init__(self, device: torch.device):
        self.device = device
        self._laps: list[tuple] = []

    @contextmanager
    def lap(self) -> Iterator[None]:
        """Time the block."""
        start = self._mark()
        yield
        self._laps.append((start, self._mark()))

    def seconds(self) -> list[float]:
        """The laps so far, after waiting for the device."""
        synchronize(self.device)
        if self.device.type == "cuda":
            return [start.elapsed_time(end) / 1e3 for start, end in self._laps]
        return [end - start for start, end in self._laps]

    def _mark(self):
        if self.device.type != "cuda":
            synchronize(self.device)
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event


def timed(work: Callable[[], T], device: torch.device) -> tuple[T, float]:
    """The result of `work()` and the seconds it took, with the device idle at both ends."""
    stopwatch = Stopwatch(device)
    synchronize(device)
    with stopwatch.lap():
        result = work()
    return result, stopwatch.seconds()[0]


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all its work; otherwise launches are timed, not work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def warm_up(work: Callable[[], object], device: torch.device) -> list[float]:
    """Call `work` until the medians of the last two windows of calls agree; returns the seconds of every call."""
    seconds: list[float] = []
    for _ in range(WINDOWS):
        seconds += [timed(work, device)[1] for _ in range(WINDOW)]
        if len(seconds) >= 2 * WINDOW:
            before, last = np.median(seconds[-2 * WINDOW : -WINDOW]), np.median(seconds[-WINDOW:])
            if abs(last - before) <= AGREE * last:
                break
    return seconds


class PeakMemory:
    """Peak memory in MB over the blocks it has wrapped: of the allocator on a GPU, of the process on Linux, else None.

    It can be entered repeatedly; what runs in between is not counted.
    """

    def __init__(self, device: torch.device, besides: float = 0.0):
        """besides: megabytes of a GPU that are allocated throughout and do not count."""
        self.device, self.besides = device, besides
        self.megabytes: float | None = None

    def __enter__(self) -> "PeakMemory":
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self._resettable = _reset_process_peak()
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self.device) / 1e6 - self.besides
        elif self._resettable:
            peak = _process_peak()
        else:
            return
        self.megabytes = max(peak, self.megabytes or 0.0)


def allocated_mb(device: torch.device) -> float:
    """What is allocated on a GPU; 0 on other devices, since the memory of a process belongs to no part of it."""
    return torch.cuda.memory_allocated(device) / 1e6 if device.type == "cuda" else 0.0


def _reset_process_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _process_peak() -> float:
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) * 1024 / 1e6


def gflops(work: Callable[[], object]) -> float:
    """Floating-point operations of `work()` in units of 1e9, a multiply-add counted as two."""
    from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count  # 0.2 s, as it imports triton

    # FlopCounterMode has no entry for the attention that PyTorch runs on the CPU, and would count it as zero.
    cpu_attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu

    def attention(q, k, v, *_, out_shape=None, **__):
        return sdpa_flop_count(q, k, v)

    with FlopCounterMode(display=False, custom_mapping={cpu_attention: attention}) as counter:
        work()
    return counter.get_total_flops() / 1e9
