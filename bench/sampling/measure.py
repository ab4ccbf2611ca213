"""One cell: the images that are scored are the ones that are timed, with bare forwards of the network in between.

A shared machine changes its speed from second to second, so a sampling run is paused a few times for a bare forward:
what is compared then happened at the same time.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from math import ceil, isnan, nan

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor

from samplerbench.data.datasets import as_picture
from samplerbench.methods import trajectory
from samplerbench.networks.backbone import Backbone, Network
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sampling.timing import PeakMemory, gflops, median_and_iqr, timed, trimmed, warm_up
from samplerbench.store.run_directory import joined
from samplerbench.sweep.plan import Job, evaluations

SEGMENTS = 5  # of a timed sampling run; bare forwards stand between them
LEAST_ROUNDS, ROUNDS = 3, 12  # timed batches at least, and at most where the images need no more
ENOUGH = 4.0  # seconds of timed sampling, after which the least number of rounds will do
PRECISE = 0.01  # the standard error of the overhead ratio, relative, at which no more rounds are needed
PICTURED = 16  # images of each cell that are kept
NOISY = 0.075  # half the gate's margin: a ratio whose 95 % interval reaches further is marked


class NotFinite(ArithmeticError):
    """A sampler produced NaN or infinite pixels."""


@dataclass(frozen=True)
class Round:
    """What was timed of one batch: seconds of the sampling run, in its network calls, and of one bare forward."""

    latency: float
    inside: float
    forward: float
    nfe: float

    @property
    def overhead(self) -> float:
        """Latency over as many bare forwards."""
        return _ratio(self.latency, self.nfe * self.forward)

    @property
    def inner(self) -> float:
        """Latency over the seconds of its own network calls: the machine's noise is in both, and cancels."""
        return _ratio(self.latency, self.inside)


def _ratio(latency: float, network: float) -> float:
    """Latency over the network's share; NaN for a method that never calls it."""
    return latency / network if network else nan


@dataclass
class Cell:
    """What was measured of one cell.

    pictured: uint8 (n, C, H, W), the first images of the first seed block.
    evaluations: network evaluations per image, of each batch.
    """

    batch_size: int
    pictured: Tensor | None = None
    evaluations: list[float] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    compile_s: float | None = None
    warmup_s: float | None = None
    peak_memory_mb: float | None = None
    gflops_per_image: float | None = None

    @property
    def nfe(self) -> float:
        """Network evaluations per image; only an adaptive method's batches can differ."""
        return float(np.mean(self.evaluations))

    def speed(self) -> dict[str, object]:
        """The columns on speed."""
        latencies, forwards, inner = (
            [getattr(each, name) for each in self.rounds] for name in ("latency", "forward", "inner")
        )
        latency, iqr = median_and_iqr(latencies)
        forward, _ = median_and_iqr(forwards)
        overheads = self.overheads()
        return {
            "latency_s": latency,
            "latency_iqr_s": iqr,
            "latency_p95_s": float(np.percentile(latencies, 95)),
            "images_per_s": self.batch_size / latency,
            "forward_s": forward,
            "overhead_ratio": _ratio(latency, self.nfe * forward),
            "inner_ratio": float(np.median(inner)),
            "noisy": str(is_noisy(overheads)).lower(),
            "latency_per_round": joined(latencies),
            "overhead_per_round": joined(overheads),
            "inner_per_round": joined(inner),
            "compile_s": self.compile_s,
            "warmup_s": self.warmup_s,
            "threads": torch.get_num_threads(),
            "peak_memory_mb": self.peak_memory_mb,
            "gflops_per_image": self.gflops_per_image,
        }

    def overheads(self) -> np.ndarray:
        """The overhead ratio of each round."""
        return np.array([each.overhead for each in self.rounds])


def is_noisy(ratios: np.ndarray) -> bool:
    """Whether the 95 % interval of the mean ratio reaches further than half the gate's margin, or there is none."""
    middle, error, freedom = trimmed(ratios)
    return not freedom or isnan(error) or bool(student.ppf(0.975, freedom) * error > NOISY * middle)


class Gauge:
    """How far a cell is, in evaluations of single images, read while it runs at no cost to what is timed."""

    def __init__(self) -> None:
        self.finished, self.network = 0, None
        self.expected: int | None = None  # in all; None for an adaptive method

    def expect(self, job: Job, backbone: Backbone, samples: int, seeds: tuple[int, ...], batch_size: int) -> None:
        """Foresee the whole, by a dry run on one pixel."""
        if job.steps:
            batch = min(batch_size, samples)
            images = (ceil(samples / batch) * len(seeds) or LEAST_ROUNDS) * batch
            self.expected = images * evaluations(job.method, backbone.recipe, job.steps, job.grid, job.guidance)

    @property
    def evaluations(self) -> int:
        """Up to now."""
        return self.finished + (self.network.evaluations if self.network else 0)


def measure(
    job: Job, backbone: Backbone, cell: Cell, samples: int, seeds: tuple[int, ...], timing: bool, gauge: Gauge
) -> Iterator[tuple[int, Tensor]]:
    """Generate `samples` images for each seed block, in full batches so that all are alike, and time them into `cell`.

    Yields the seed block and finished images (B, C, H, W), batch after batch, so that nobody need hold them all.
    No seed blocks, no images: then the cell is only timed.
    Raises NotFinite for NaN or infinite images, and whatever the method or the device raises.
    """
    if timing:
        cell.gflops_per_image = _gflops_per_evaluation(job, backbone)
        _warm_up(job, backbone, cell)
    with PeakMemory(backbone.device) as memory:
        for block in seeds:
            for start in range(0, samples, cell.batch_size):
                images = _batch(job, backbone, block, start, cell, timing, gauge)[: samples - start]
                if cell.pictured is None:
                    cell.pictured = as_picture(images[:PICTURED])
                yield block, images
        while timing and _needs_another_round(cell):
            _batch(job, backbone, 0, 0, cell, timing, gauge)
    if timing:
        cell.peak_memory_mb = memory.megabytes
        cell.gflops_per_image *= cell.nfe


def _needs_another_round(cell: Cell) -> bool:
    rounds = len(cell.rounds)
    if rounds < LEAST_ROUNDS:
        return True
    middle, error, _ = trimmed(cell.overheads())
    precise = not isnan(error) and error < PRECISE * middle
    return rounds < ROUNDS and not precise and sum(each.latency for each in cell.rounds) < ENOUGH


@torch.inference_mode()
def generate(
    job: Job,
    backbone: Backbone,
    noise: ImageNoise,
    gauge: Gauge,
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> tuple[Tensor, float, Network]:
    """The images (B, C, H, W) of this noise in [-1, 1] or beyond, the seconds, and the network that was called.

    `before` and `after` are called off the clock, around each of the segments of the run.
    """
    x = backbone.noise(noise)
    field = backbone.field(backbone.labels(noise.block, noise.indices))
    gauge.network = field.net
    guided = job.guidance.guide(field, backbone.aides(field)) if job.guidance else field
    states = trajectory(job.method, guided, x, job.steps, noise, job.grid)

    seconds, length = 0.0, job.steps and ceil(job.steps / SEGMENTS)
    last: deque[Tensor] = deque([x], maxlen=1)
    while last:
        images = last.pop()
        before()
        _, elapsed = timed(lambda: last.extend(islice(states, length)), backbone.device)
        after()
        seconds += elapsed

    gauge.finished, gauge.network = gauge.evaluations, None
    return images, seconds, field.net


@torch.inference_mode()
def _batch(job: Job, backbone: Backbone, block: int, start: int, cell: Cell, timing: bool, gauge: Gauge) -> Tensor:
    """Finished images of a full batch; where it is timed, the bare forwards stand before and after in turn."""
    noise, forwards = ImageNoise(block, range(start, start + cell.batch_size)), []
    inputs = _forward_inputs(backbone, cell.batch_size)

    def bare_forward() -> None:
        if not forwards:
            backbone.net(*inputs)  # drawing the noise has emptied the caches: the first forward would be slow
        forwards.append(timed(lambda: backbone.net(*inputs), backbone.device)[1])

    turn = {("before", "after")[len(cell.rounds) % 2]: bare_forward} if timing else {}
    images, seconds, network = generate(job, backbone, noise, gauge, **turn)
    broken = (~images.isfinite()).flatten(1).any(1).sum().item()
    if broken:
        raise NotFinite(f"{broken} of {len(images)} images are not finite")
    nfe = network.evaluations / len(images)
    cell.evaluations.append(nfe)
    if timing:
        cell.rounds.append(Round(seconds, sum(network.stopwatch.seconds()), float(np.mean(forwards)), nfe))
    return backbone.finished(images).cpu()


def _forward_inputs(backbone: Backbone, batch_size: int) -> tuple:
    x = torch.zeros(batch_size, *backbone.image_shape, device=backbone.device, dtype=backbone.dtype)
    t = torch.full((batch_size,), 0.5, device=backbone.device)
    end = (t,) if backbone.unet.config.interval else ()
    return x, t, backbone.labels(0, range(batch_size)), *end


@torch.inference_mode()
def _gflops_per_evaluation(job: Job, backbone: Backbone) -> float:
    """Of a forward; the mean over a run of one image where guidance asks another network too."""
    if not (job.guidance and job.guidance.needs):
        inputs = _forward_inputs(backbone, 1)
        return gflops(lambda: backbone.unet(*inputs))
    weak = backbone.weak and replace(backbone.weak, net=backbone.weak.unet)
    eager, networks = replace(backbone, net=backbone.unet, weak=weak), []
    total = gflops(lambda: networks.append(generate(job, eager, ImageNoise(0, range(1)), Gauge())[2]))
    return total / networks[0].evaluations


@torch.inference_mode()
def _warm_up(job: Job, backbone: Backbone, cell: Cell) -> None:
    """Compile, choose kernels and import lazily outside the measurement: forwards, and the shortest sampling run."""
    inputs, device = _forward_inputs(backbone, cell.batch_size), backbone.device
    first = timed(lambda: backbone.net(*inputs), device)[1]
    seconds = warm_up(lambda: backbone.net(*inputs), device)
    if backbone.compiled:
        cell.compile_s = max(0.0, first - float(np.median(seconds)))
    shortest = replace(job, steps=job.steps and 1)
    noise = ImageNoise(0, range(cell.batch_size))
    _, last = timed(lambda: generate(shortest, backbone, noise, Gauge()), device)
    cell.warmup_s = first + sum(seconds) + last - (cell.compile_s or 0.0)
