"""The largest batch that fits into memory, found by trying."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from samplerbench.methods import FAULTS, Sampler
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.generate import generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sampling.probes import uncompiled
from samplerbench.sampling.timing import PeakMemory

# So many images keep a CPU busy, and the noise of a batch for a GPU is drawn on the CPU, image by image.
MOST_ON_CPU, MOST = 1024, 2**14
STEPS = 3  # of a trial, which a multistep method fills its history in
PRECISION = 8  # the size is found to one part in so many


def largest_batch(runs: Iterable[tuple[Sampler, LoadedNetwork]], device: torch.device, most: int | None = None) -> int:
    """The size of the largest batch, at most `most`, that each of these samplers can run on its network; at least 1."""
    limit = MOST_ON_CPU if device.type == "cpu" else MOST
    size = limit if most is None else min(most, limit)
    for sampler, network in runs:
        size = largest(Trial(sampler, network), size)
    return size


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest size up to `most` that fits, to an eighth: doubled from 1, then halved in between; at least 1.

    What fits at one size must fit at every smaller one.
    """
    low, high = 1, most + 1  # `low` fits, `high` does not
    while 2 * low < high:
        low, high = (2 * low, high) if fits(2 * low) else (low, 2 * low)
    if most < high and low < most and fits(most):
        return most
    while high - low > max(1, low // PRECISION):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


class Trial:
    """Runs a sampler on batches of a size; whether they fit into memory.

    On a GPU it runs out of memory. The system of a CPU would end the process instead: there a size is refused if, by
    the memory of a smaller one, it would take more than is available.
    """

    def __init__(self, sampler: Sampler, network: LoadedNetwork):
        self.sampler, self.network = sampler.shortest(STEPS), uncompiled(network)
        self._size, self._megabytes = 1, 0.0  # of the last run

    @torch.inference_mode()
    def __call__(self, size: int) -> bool:
        """Whether a batch of this size fits."""
        device, available = self.network.device, available_mb()
        if device.type == "cpu" and available is not None and self._megabytes * size / self._size > available:
            return False
        memory = PeakMemory(device)  # on the CPU it is that of the process, so that a doubled size is over-estimated
        try:
            with memory:
                run = generate(self.sampler, self.network, ImageNoise(0, range(size)))
                self.network.images(run.images)
        except (torch.cuda.OutOfMemoryError, MemoryError):
            return False
        except FAULTS:  # of the method or its network, which its cell will report
            return True
        finally:
            if device.type == "cuda":
                torch.cuda.empty_cache()
        self._size, self._megabytes = size, memory.megabytes or 0.0
        return True


def available_mb() -> float | None:
    """Memory that programs can still take, in MB; None where the system does not say (only Linux does)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None
