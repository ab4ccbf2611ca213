"""How long a cell will take: the work of `measure`, counted, times the seconds of a few forwards."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch

from samplerbench.methods import Sampler
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.generate import generate, pauses
from samplerbench.sampling.measure import rounds_for
from samplerbench.sampling.noise import ImageNoise
from samplerbench.sampling.probes import forward_inputs
from samplerbench.sampling.timing import WINDOW, PeakMemory, timed

SPENT, FEWEST, MOST = 4.0, 3, 100  # seconds to time a forward for, and calls
WARMING = 1 + 2 * WINDOW  # forwards before a cell is timed, as a rule
TRIAL = 4  # images whose evaluations by an adaptive method are counted


@dataclass(frozen=True)
class Pace:
    """Seconds of an evaluation of a network.

    size: of a batch. batch, single: the seconds for a batch, and for one image. once: those of the first call beyond
    them, as for compiling. memory_mb: the peak during the batch, if it is known.
    """

    size: int
    batch: float
    single: float
    once: float
    memory_mb: float | None

    def seconds(self, images: int) -> float:
        """Of an evaluation of so many images, on the line through the two."""
        if self.size == 1:
            return images * self.single
        return self.single + (self.batch - self.single) * (images - 1) / (self.size - 1)


@dataclass(frozen=True)
class Forecast:
    """The cost of a cell.

    nfe: evaluations per image; `counted` unless they are those of a trial of an adaptive method.
    evaluations: of single images, while sampling. batches: of images. seconds: of all of `measure`.
    untimed, timing: the seconds of `measure` without timing, and of timing alone, where the two are done apart.
    """

    nfe: float
    counted: bool
    evaluations: int
    batches: int
    seconds: float
    untimed: float
    timing: float


def depends_on_sampler(sampler: Sampler, network: LoadedNetwork) -> bool:
    """Whether an evaluation is more than a forward: on exact data the sampler's own work counts, and some guides do."""
    return network.exact or bool(sampler.guidance and sampler.guidance.needs)


@torch.inference_mode()
def pace_of(sampler: Sampler, network: LoadedNetwork, size: int) -> Pace:
    """Time evaluations on the device: bare forwards, or short sampling runs where more than the network matters.

    Raises whatever the network or the device raises, as where the memory does not suffice.
    """
    memory = PeakMemory(network.device)
    with memory:
        batch, once = _seconds(_evaluation(sampler, network, size, network.net), network.device)
    single, _ = _seconds(_evaluation(sampler, network, 1, network.eager), network.device)
    return Pace(size, batch, single, once, memory.megabytes)


def _evaluation(sampler: Sampler, network: LoadedNetwork, size: int, net: torch.nn.Module) -> Callable[[], float]:
    """A function that evaluates the network on `size` images, and returns how often."""
    if depends_on_sampler(sampler, network):
        few = sampler.shortest(3)
        return lambda: generate(few, network, ImageNoise(0, range(size))).nfe
    inputs = forward_inputs(network, size)

    def forward() -> float:
        net(*inputs)
        return 1

    return forward


def _seconds(evaluate: Callable[[], float], device: torch.device) -> tuple[float, float]:
    """The mean seconds of an evaluation, and those that the first call took beyond it."""
    first = timed(evaluate, device)[1]
    calls: list[float] = []
    while len(calls) < FEWEST or (sum(calls) < SPENT and len(calls) < MOST):
        nfe, seconds = timed(evaluate, device)
        calls.append(seconds)
    mean = float(np.mean(calls))
    return mean / max(nfe, 1), max(0.0, first - mean)


def forecast(sampler: Sampler, network: LoadedNetwork, pace: Pace, samples: int, blocks: int, timing: bool) -> Forecast:
    """What `measure` will do for a cell of so many seed blocks. Raises whatever a defective method raises."""
    nfe = sampler.nfe if sampler.nfe is not None else trial_nfe(sampler, network)
    scored, rounds, bare, first = ceil(samples / pace.size) * blocks, 0, 0.0, 0.0
    once = 2 * _few(sampler, network, 3) * pace.single  # an image that is drawn twice
    if timing:
        rounds, bare = rounds_for(nfe * pace.batch), _bare_forwards(sampler)
        first = (WARMING + _few(sampler, network, 1)) * pace.batch + pace.single  # and the count of operations
    batches, each = max(scored, rounds), (nfe + bare) * pace.batch
    return Forecast(
        nfe,
        counted=sampler.nfe is not None,
        evaluations=round(batches * pace.size * nfe),
        batches=batches,
        seconds=batches * each + first + once,
        untimed=scored * nfe * pace.batch + once,
        timing=rounds * each + first,
    )


def _bare_forwards(sampler: Sampler) -> float:
    """Forwards beside a timed run: one in each pause; without any, one and, before every second run, another."""
    return pauses(sampler) or 1.5


def _few(sampler: Sampler, network: LoadedNetwork, steps: int) -> float:
    """The evaluations per image of the shortest run, or of one of a few steps."""
    short = sampler.shortest(steps)
    return short.nfe if short.nfe is not None else trial_nfe(short, network)


@torch.inference_mode()
def trial_nfe(sampler: Sampler, network: LoadedNetwork) -> float:
    """Evaluations per image of an adaptive method, for a few images; more images may need a few more."""
    return generate(sampler, network, ImageNoise(0, range(TRIAL))).nfe
