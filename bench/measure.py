"""One cell: the images that are scored are the ones that are timed, with bare forwards of the network in between.

A shared machine changes its speed from second to second, so a sampling run is paused a few times for a bare forward:
what is compared then happened at the same time.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from math import ceil

import numpy as np
import torch
from torch import Tensor

from bench.data import to_uint8
from bench.network import Backbone
from bench.noise import ImageNoise
from bench.plan import Job, evaluations
from bench.store import joined
from bench.timing import PeakMemory, gflops, median_and_iqr, timed
from methods import trajectory

SEGMENTS = 5  # of a timed sampling run; a bare forward stands before the first and after each
LEAST_ROUNDS, ROUNDS = 2, 5  # timed batches at least, and where they are quick
QUICK = 10.0  # seconds of timed sampling, after which the least number of rounds will do
PICTURED = 16  # images of each cell that are kept


class NotFinite(ArithmeticError):
    """A sampler produced NaN or infinite pixels."""


@dataclass
class Cell:
    """What was measured of one cell.

    images: uint8 (N, C, H, W) of each seed block.
    latencies, forwards: seconds of each batch, and of one bare forward meanwhile, the mean over its pauses.
    evaluations: network evaluations per image, of each batch.
    """

    batch_size: int
    images: dict[int, Tensor] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    forwards: list[float] = field(default_factory=list)
    evaluations: list[float] = field(default_factory=list)
    peak_memory_mb: float | None = None
    gflops_per_image: float | None = None

    @property
    def nfe(self) -> float:
        """Network evaluations per image; only an adaptive method's batches can differ."""
        return float(np.mean(self.evaluations))

    def speed(self) -> dict[str, float | str | None]:
        """The columns on speed."""
        latency, iqr = median_and_iqr(self.latencies)
        forward, _ = median_and_iqr(self.forwards)
        return {
            "latency_s": latency,
            "latency_iqr_s": iqr,
            "images_per_s": self.batch_size / latency,
            "forward_s": forward,
            "overhead_ratio": latency / (self.nfe * forward),
            "overhead_per_round": joined(np.array(self.latencies) / (self.nfe * np.array(self.forwards))),
            "peak_memory_mb": self.peak_memory_mb,
            "gflops_per_image": self.gflops_per_image,
        }


class Gauge:
    """How far a cell is, in evaluations of single images, read while it runs at no cost to what is timed."""

    def __init__(self) -> None:
        self.finished, self.network = 0, None
        self.expected: int | None = None  # in all; None for an adaptive method

    def expect(self, job: Job, backbone: Backbone, samples: int, seeds: tuple[int, ...], batch_size: int) -> None:
        """Foresee the whole, by a dry run on one pixel."""
        if job.steps:
            batch = min(batch_size, samples)
            images = (ceil(samples / batch) * len(seeds) or ROUNDS) * batch
            self.expected = images * evaluations(job.method, backbone.recipe, job.steps, job.grid)

    @property
    def evaluations(self) -> int:
        """Up to now."""
        return self.finished + (self.network.evaluations if self.network else 0)


@torch.inference_mode()
def measure(
    job: Job, backbone: Backbone, samples: int, seeds: tuple[int, ...], batch_size: int, timing: bool, gauge: Gauge
) -> Cell:
    """Generate `samples` images for each seed block, in full batches so that all are alike, and time them.

    No seed blocks, no images: then the cell is only timed.
    Raises NotFinite for NaN or infinite images, and whatever the method or the device raises.
    """
    cell = Cell(min(batch_size, samples))
    if timing:
        cell.gflops_per_image = _forward_gflops(backbone)
        _warm_up(job, backbone, cell.batch_size)
    with PeakMemory(backbone.device) as memory:
        for block in seeds:
            starts = range(0, samples, cell.batch_size)
            batches = [_batch(job, backbone, block, start, cell, timing, gauge) for start in starts]
            cell.images[block] = torch.cat(batches)[:samples]
        while timing and _needs_another_round(cell.latencies):
            _batch(job, backbone, 0, 0, cell, timing, gauge)
    if timing:
        cell.peak_memory_mb = memory.megabytes
        cell.gflops_per_image *= cell.nfe
    return cell


def _needs_another_round(latencies: list[float]) -> bool:
    return len(latencies) < (ROUNDS if sum(latencies) < QUICK else LEAST_ROUNDS)


def generate(
    job: Job, backbone: Backbone, block: int, indices: range, gauge: Gauge, pause: Callable[[], None] = lambda: None
) -> tuple[Tensor, float, float]:
    """The images (B, C, H, W) of these indices in [-1, 1] or beyond, the seconds and the evaluations per image.

    `pause` is called, off the clock, before the run and a few times in it.
    """
    noise = ImageNoise(block, indices)
    x = noise(torch.empty(len(indices), *backbone.image_shape, device=backbone.device))
    field = backbone.field(backbone.labels(block, indices))
    gauge.network = field.net
    states = trajectory(job.method, field, x, job.steps, noise, job.grid)

    seconds, length = 0.0, job.steps and ceil(job.steps / SEGMENTS)
    last: deque[Tensor] = deque([x], maxlen=1)
    while last:
        pause()
        images = last.pop()
        _, elapsed = timed(lambda: last.extend(islice(states, length)), backbone.device)
        seconds += elapsed

    gauge.finished, gauge.network = gauge.evaluations, None
    return images, seconds, field.net.evaluations / len(indices)


def _batch(job: Job, backbone: Backbone, block: int, start: int, cell: Cell, timing: bool, gauge: Gauge) -> Tensor:
    indices, forwards = range(start, start + cell.batch_size), []
    inputs = _forward_inputs(backbone, cell.batch_size)

    def bare_forward() -> None:
        if not forwards:
            backbone.net(*inputs)  # drawing the noise has emptied the caches: the first forward would be slow
        forwards.append(timed(lambda: backbone.net(*inputs), backbone.device)[1])

    pause = {"pause": bare_forward} if timing else {}
    images, seconds, evaluated = generate(job, backbone, block, indices, gauge, **pause)
    broken = (~images.isfinite()).flatten(1).any(1).sum().item()
    if broken:
        raise NotFinite(f"{broken} of {len(images)} images are not finite")
    cell.evaluations.append(evaluated)
    if timing:
        cell.latencies.append(seconds)
        cell.forwards.append(float(np.mean(forwards)))
    return to_uint8(images).cpu()


def _forward_inputs(backbone: Backbone, batch_size: int) -> tuple:
    x = torch.zeros(batch_size, *backbone.image_shape, device=backbone.device, dtype=backbone.dtype)
    return x, torch.full((batch_size,), 0.5, device=backbone.device), backbone.labels(0, range(batch_size))


def _forward_gflops(backbone: Backbone) -> float:
    inputs = _forward_inputs(backbone, 1)
    return gflops(lambda: backbone.unet(*inputs))


def _warm_up(job: Job, backbone: Backbone, batch_size: int) -> None:
    """Compile, choose kernels and import lazily outside the measurement: two forwards and the shortest sampling run."""
    inputs = _forward_inputs(backbone, batch_size)
    for _ in range(2):
        backbone.net(*inputs)
    shortest = Job(job.method, job.recipe, job.grid, job.steps and 1)
    generate(shortest, backbone, 0, range(batch_size), Gauge())
