"""Timing that compares with the network's own bare forward, measured interleaved in the same process."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

T = TypeVar("T")


def timed(work: Callable[[], T], device: torch.device) -> tuple[T, float]:
    """The result of `work()` and the wall seconds it took, with the device idle at both ends."""
    synchronize(device)
    start = time.perf_counter()
    result = work()
    synchronize(device)
    return result, time.perf_counter() - start


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all its work; otherwise launches are timed, not work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def median_and_iqr(seconds: list[float]) -> tuple[float, float]:
    """The median, and the distance between the quartiles."""
    low, middle, high = np.percentile(seconds, (25, 50, 75))
    return float(middle), float(high - low)


class PeakMemory:
    """Peak memory in MB while the block runs: of the allocator on a GPU, of the whole process on Linux, else None."""

    def __init__(self, device: torch.device):
        self.device = device
        self.megabytes: float | None = None

    def __enter__(self) -> "PeakMemory":
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self._resettable = _reset_process_peak()
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            self.megabytes = torch.cuda.max_memory_allocated(self.device) / 1e6
        elif self._resettable:
            self.megabytes = _process_peak()


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
    # FlopCounterMode has no entry for the attention that PyTorch runs on the CPU, and would count it as zero.
    cpu_attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu

    def attention(q, k, v, *_, out_shape=None, **__):
        return sdpa_flop_count(q, k, v)

    with FlopCounterMode(display=False, custom_mapping={cpu_attention: attention}) as counter:
        work()
    return counter.get_total_flops() / 1e9
