"""The seconds of one timed batch, and how they compare with the network's own."""

from dataclasses import dataclass
from math import isnan, nan

from samplerbench.statistics import half_width_of_trimmed, trimmed

NOISY = 0.075  # half the gate's margin: a ratio whose 95 % interval is wider is marked
IMPOSSIBLE = 0.02  # so far below 1 is no ratio, even where a bare forward, which waits for the device, costs more


@dataclass(frozen=True)
class Round:
    """The seconds of one timed batch.

    sampling: of the sampling run. inside: of that, in network calls; NaN if they cannot be told apart. decoding: of its
    last states to images, which only networks of latents need. forward: of one bare forward.
    """

    sampling: float
    inside: float
    forward: float
    nfe: float
    decoding: float = 0.0

    @property
    def latency(self) -> float:
        """From noise to images."""
        return self.sampling + self.decoding

    @property
    def outside(self) -> float:
        """Of the sampling run, outside network calls: the sampler's own."""
        return self.sampling - self.inside

    @property
    def overhead(self) -> float:
        """The sampling run over as many bare forwards."""
        return ratio(self.sampling, self.nfe * self.forward)

    @property
    def inner(self) -> float:
        """The sampling run over its own network calls: the machine's noise is in both, and cancels."""
        return ratio(self.sampling, self.inside)


def ratio(sampling: float, network: float) -> float:
    """The sampling run's seconds over the network's; NaN for a method that never calls it."""
    return sampling / network if network else nan


def is_noisy(ratios: list[float]) -> bool:
    """Whether the 95 % interval of the mean overhead ratio is undefined, too wide, or impossible.

    Too wide: by more than half the gate's margin to either side. Impossible: a sampler is no faster than its own
    network, so an interval that lies below 1 shows a machine that other work slowed down during the bare forwards.
    """
    mean, half = trimmed(ratios).mean, half_width_of_trimmed(ratios)
    return isnan(half) or half > NOISY * mean or mean + half < 1 - IMPOSSIBLE
