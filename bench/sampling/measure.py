"""One cell: the images that are scored are the ones that are timed, with bare forwards of the network in between.

A shared machine changes its speed from second to second, so a sampling run pauses a few times for a bare forward: the
two are then compared under the same conditions.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import ceil, isnan
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from samplerbench.data.dataset import displayed, quantised
from samplerbench.methods import Sampler
from samplerbench.networks.conditions.base import Asked
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.breakdown import DECODER, FORWARDS, NETWORK, NOISE, SAMPLER, WARM_UP, Breakdown
from samplerbench.sampling.cuda_graph import Capture, Recording
from samplerbench.sampling.generate import Generation, Replay, asked_of, generate
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sampling.probes import decoder_gflops, forward_inputs, gflops_per_evaluation, redraw_difference
from samplerbench.sampling.round import Round, is_noisy, ratio
from samplerbench.sampling.timing import PeakMemory, timed, warm_up
from samplerbench.statistics import median_and_iqr

MIN_ROUNDS, MAX_ROUNDS = 4, 8  # timed batches; the images themselves may need more
ENOUGH = 4.0  # seconds of timed sampling: if it holds the most rounds, that many are timed, else the fewest
PICTURED = 16  # images of each cell that are kept


class NotFinite(ArithmeticError):
    """A sampler produced NaN or infinite pixels."""


class Batch(NamedTuple):
    """Scored images of a seed block, on the device.

    images: (B, C, H, W), uint8, or float64 on exact data. labels: classes (B,), or None for a network without any.
    asked: the conditions that the network was given, or None.
    """

    block: int
    indices: range
    images: Tensor
    labels: Tensor | None
    asked: Asked | None = None


class CellProgress:
    """Progress of the running cell, in evaluations of single images. Reading it does not affect timing.

    expected: how many the cell needs; None for an adaptive method.
    """

    def __init__(self) -> None:
        self.expected: int | None = None
        self._finished = 0
        self._run: Generation | None = None

    def start(self, run: Generation) -> None:
        """The next sampling run begins."""
        self._finished, self._run = self.evaluations, run

    def extend(self, evaluations: int) -> None:
        """Expect so many more than have been spent, if that exceeds what was expected."""
        if self.expected is not None:
            self.expected = max(self.expected, self.evaluations + evaluations)

    @property
    def evaluations(self) -> int:
        """Evaluations so far."""
        return self._finished + (self._run.network.evaluations if self._run else 0)


@dataclass
class Measurement:
    """The measured facts of one cell.

    pictured: uint8 (n, C, H, W), the first images of the first seed block.
    evaluations: network evaluations per image, of each scored batch; of each timed one if none is scored.
    redraw_difference: the largest difference between pixels of an image that was drawn twice.
    capture: how the sampling run is recorded, to be replayed for every batch; None to run it step by step.
    spent: where the wall time went, also of other cells. warm: the networks that those have warmed up.
    scorer_mb: memory on the GPU that belongs to scoring.
    """

    batch_size: int
    pictured: Tensor | None = None
    redraw_difference: float | None = None
    evaluations: list[float] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    compile_s: float | None = None
    warmup_s: float | None = None
    peak_memory_mb: float | None = None
    gflops_per_image: float | None = None
    capture: Capture | None = None
    progress: CellProgress = field(default_factory=CellProgress)
    spent: Breakdown = field(default_factory=Breakdown)
    warm: set[nn.Module] = field(default_factory=set)
    scorer_mb: float = 0.0

    @property
    def nfe(self) -> float:
        """Network evaluations per image; they differ between batches of an adaptive method only."""
        return float(np.mean(self.evaluations))

    def column(self, name: str) -> list[float]:
        """One number of every round: a field of `Round`, or a property."""
        return [getattr(each, name) for each in self.rounds]

    def speed(self) -> dict[str, object]:
        """The columns on speed; lists hold a number for each round."""
        latency, iqr = median_and_iqr(self.column("latency"))
        forward, _ = median_and_iqr(self.column("forward"))
        sampling, _ = median_and_iqr(self.column("sampling"))
        overheads, inner = self.column("overhead"), self.column("inner")
        return {
            "latency_s": latency,
            "latency_iqr_s": iqr,
            "latency_p95_s": float(np.percentile(self.column("latency"), 95)),
            "images_per_s": self.batch_size / latency,
            "forward_s": forward,
            "network_s": median_and_iqr(self.column("inside"))[0],
            "sampler_s": median_and_iqr(self.column("outside"))[0],
            "decoder_s": median_and_iqr(self.column("decoding"))[0],
            "overhead_ratio": ratio(sampling, self.nfe * forward),
            "inner_ratio": float(np.median(inner)),
            "noisy": str(is_noisy(overheads)).lower(),
            "latency_per_round": self.column("latency"),
            "overhead_per_round": overheads,
            "inner_per_round": inner,
            "compile_s": self.compile_s,
            "warmup_s": self.warmup_s,
            "threads": torch.get_num_threads(),
            "peak_memory_mb": self.peak_memory_mb,
            "gflops_per_image": self.gflops_per_image,
        }

    def needs_another_round(self) -> bool:
        """Whether rounds are missing. The first one's latency decides how many there are.

        Rounds that ended as soon as the ratios agreed would agree too well: their 95 % interval covers 89 to 94 %.
        """
        return not self.rounds or len(self.rounds) < rounds_for(self.rounds[0].latency)


def rounds_for(latency: float) -> int:
    """How many batches are timed, if one takes this many seconds."""
    return MAX_ROUNDS if MAX_ROUNDS * latency <= ENOUGH else MIN_ROUNDS


def measure(
    sampler: Sampler, network: LoadedNetwork, found: Measurement, samples: int, seeds: tuple[int, ...], timing: bool
) -> Iterator[Batch]:
    """Generate `samples` images for each seed block, in full batches so that all are alike, and time them into `found`.

    Yields batch after batch, so that the images need not all be kept. Without seed blocks the cell is only timed.
    Raises NotFinite for NaN or infinite images, and whatever the method or the device raises.
    """
    with found.spent.part(WARM_UP):
        sampler.dry_run  # noqa: B018 - a defective method fails here, and not after minutes
    each = found.batch_size * (sampler.nfe or 0)
    if sampler.nfe:
        found.progress.expected = max(ceil(samples / found.batch_size) * len(seeds), MIN_ROUNDS if timing else 0) * each
    with found.spent.part(WARM_UP):
        found.redraw_difference = redraw_difference(sampler, network)
        if timing:
            gflops_each = gflops_per_evaluation(sampler, network)
            _warm_up(sampler, network, found)
        replay = _recorded(sampler, network, found)
    memory = PeakMemory(network.device, found.scorer_mb)
    for block in seeds:
        for start in range(0, samples, found.batch_size):
            batch = _batch(sampler, network, block, start, found, timing, memory, replay)
            kept = min(found.batch_size, samples - start)
            if found.pictured is None:
                found.pictured = displayed(batch.images[: min(kept, PICTURED)]).cpu()
            yield _first(batch, kept)
    scored = len(found.evaluations)
    while timing and found.needs_another_round():
        found.progress.extend(each)
        _batch(sampler, network, 0, 0, found, timing, memory, replay)
    if scored:  # a count must not depend on how many rounds this machine needs
        del found.evaluations[scored:]
    if timing:
        found.peak_memory_mb = memory.megabytes
        found.gflops_per_image = gflops_each * found.nfe + decoder_gflops(network)


@torch.inference_mode()
def _recorded(sampler: Sampler, network: LoadedNetwork, found: Measurement) -> Replay | None:
    """What replays the cell's sampling run, if it is to be recorded."""
    return Recording(sampler, network, found.batch_size, found.capture).replay if found.capture else None


def _first(batch: Batch, count: int) -> Batch:
    """The batch without the images that only filled it up."""
    labels = batch.labels if batch.labels is None else batch.labels[:count]
    asked = batch.asked and batch.asked.first(count)
    return Batch(batch.block, batch.indices[:count], batch.images[:count], labels, asked)


@torch.inference_mode()
def _batch(
    sampler: Sampler,
    network: LoadedNetwork,
    block: int,
    start: int,
    found: Measurement,
    timing: bool,
    memory: PeakMemory,
    replay: Replay | None,
) -> Batch:
    """A full batch of images; where it is timed, bare forwards run in its pauses."""
    indices, spent = range(start, start + found.batch_size), found.spent
    noise = ImageNoise(block, indices)
    with spent.part(SAMPLER):
        with memory if timing else nullcontext():
            run = Generation(sampler, network, noise, replay)
            found.progress.start(run)
            times = _timed_segments(run, network, len(found.rounds) % 2 == 0, spent) if timing else None
            states = run.finish()
            with spent.part(DECODER):
                images, decoding = timed(lambda: network.images(states), network.device)
        inside = run.inside
        spent.move(NETWORK, 0.0 if isnan(inside) else inside)
        spent.move(NOISE, noise.seconds)
    _check_finite(images)
    found.evaluations.append(run.nfe)
    if times:
        sampling, forward = times
        found.rounds.append(Round(sampling, inside, forward, run.nfe, decoding if network.decode else 0.0))
    asked = asked_of(network, run.labels)
    labels = asked.classes if asked else run.labels
    return Batch(block, indices, quantised(images, network.exact), labels, asked)


def _check_finite(images: Tensor) -> None:
    broken = (~images.isfinite()).flatten(1).any(1).sum().item()
    if broken:
        raise NotFinite(f"{broken} of {len(images)} images are not finite")


def _timed_segments(run: Generation, network: LoadedNetwork, before: bool, spent: Breakdown) -> tuple[float, float]:
    """The seconds of a whole sampling run, and of a bare forward in each of its pauses.

    Without a pause there is one forward, before or after the run.
    """
    inputs, latency, more = forward_inputs(network, len(run.images)), 0.0, True
    forwards: list[float] = []

    def bare_forward() -> None:
        with spent.part(FORWARDS):
            forwards.append(timed(lambda: network.net(*inputs), network.device)[1])

    if before and not run.pauses:
        with spent.part(FORWARDS):
            network.net(*inputs)  # drawing the noise has emptied the caches: the next one would be slow
        bare_forward()
    while more:
        more, seconds = timed(run.advance, network.device)
        latency += seconds
        if len(forwards) < max(run.pauses, 1):
            bare_forward()
    return latency, float(np.mean(forwards))


@torch.inference_mode()
def _warm_up(sampler: Sampler, network: LoadedNetwork, found: Measurement) -> None:
    """Compile, choose kernels and import lazily outside the measurement: forwards, and the shortest sampling run.

    The forwards are for the first cell of a network alone.
    """
    forwards = 0.0 if network.net in found.warm else _forwards(network, found)
    found.warm.add(network.net)
    shortest, noise = sampler.shortest(), ImageNoise(0, range(found.batch_size))
    _, last = timed(lambda: network.images(generate(shortest, network, noise).images), network.device)
    found.warmup_s = forwards + last


def _forwards(network: LoadedNetwork, found: Measurement) -> float:
    """The seconds of warming up a network, without those of compiling it."""
    inputs, device = forward_inputs(network, found.batch_size), network.device
    first = timed(lambda: network.net(*inputs), device)[1]
    seconds = warm_up(lambda: network.net(*inputs), device)
    if network.compiled:
        found.compile_s = max(0.0, first - float(np.median(seconds)))
    return first + sum(seconds) - (found.compile_s or 0.0)
