"""The seconds of one timed batch, and how they compare with the network's own."""

from dataclasses import dataclass
from math import nan


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
