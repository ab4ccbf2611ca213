"""The same work done by this suite and by its peers, timed in turn in one process, so that drift affects all alike."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan

import click
import numpy as np
import torch
from torch import Tensor

from samplerbench.sampling.timing import timed
from samplerbench.statistics import half_width_of_trimmed, trimmed

OURS = "samplerbench"
Work = Callable[[], Tensor | float]


@dataclass(frozen=True)
class Effort:
    """How many rounds are timed: at least `least`, then more while `budget` seconds last, at most `most`."""

    budget: float
    least: int = 4  # the interval of their mean is three standard errors to either side
    most: int = 40


@dataclass(frozen=True)
class Comparison:
    """One piece of work.

    section, work: of the tables.
    runs: what does it, by name, `OURS` first. short: less of the same, to warm up before; by default all of it.
    batch: images that it makes or passes through the network; 0 for none. steps: of a sampling run; 0 for none.
    tolerance: the largest difference between results, relative to the largest number in ours above 1; None where they
        are not comparable.
    """

    section: str
    work: str
    runs: Mapping[str, Work]
    short: Mapping[str, Work] | None = None
    batch: int = 0
    steps: int = 0
    tolerance: float | None = None

    def rows(self, device: torch.device, effort: Effort) -> list[dict]:
        """A row for each peer. Raises ClickException if the results differ by more than the tolerance."""
        for work in (self.runs if self.short is None else self.short).values():
            work()
        results, seconds = self._rounds(device, effort)
        return [self._row(peer, results, seconds) for peer in [*self.runs][1:]]

    def _rounds(self, device: torch.device, effort: Effort) -> tuple[dict[str, Tensor | float], dict[str, list[float]]]:
        """The last results, and the seconds of each round: A B, B A, A B, ..., or A B C, C B A, ..."""
        results: dict[str, Tensor | float] = {}
        seconds: dict[str, list[float]] = defaultdict(list)
        began, rounds = time.monotonic(), 0
        while rounds < effort.least or (rounds < effort.most and time.monotonic() - began < effort.budget):
            for name in [*self.runs][:: 1 if rounds % 2 == 0 else -1]:
                results[name], took = timed(self.runs[name], device)
                seconds[name].append(took)
            rounds += 1
        return results, seconds

    def _row(self, peer: str, results: Mapping[str, Tensor | float], seconds: Mapping[str, list[float]]) -> dict:
        ours, theirs = float(np.median(seconds[OURS])), float(np.median(seconds[peer]))
        return {
            "section": self.section, "work": self.work, "batch": self.batch, "steps": self.steps, "peer": peer,
            "ours_s": ours, "peer_s": theirs,
            "ours_images_per_s": self.batch / ours or nan, "peer_images_per_s": self.batch / theirs or nan,
            **ratio_columns(np.divide(seconds[peer], seconds[OURS])),
            "difference": self._difference(peer, results),
        }  # fmt: skip

    def _difference(self, peer: str, results: Mapping[str, Tensor | float]) -> float:
        """The largest difference from our result; NaN where the two are not comparable."""
        if self.tolerance is None:
            return nan
        ours, theirs = (torch.as_tensor(results[name], dtype=torch.float64) for name in (OURS, peer))
        found = ((ours - theirs).abs().max() / max(1.0, ours.abs().max().item())).item()
        if not found <= self.tolerance:
            raise click.ClickException(f"{self.work}: {peer} does other work, its result differs by {found:.2g}.")
        return found


def ratio_columns(ratios: np.ndarray) -> dict[str, float]:
    """The trimmed mean of the rounds' ratios with its 95 % interval, their median, and how many there are.

    In logarithms, so that it is the same whichever side is the denominator. The median has no interval below six
    rounds, more than slow work is timed for.
    """
    logs = np.log(ratios)
    mean, half = trimmed(logs).mean, half_width_of_trimmed(logs)
    low, middle, high = np.exp((mean - half, mean, mean + half))
    return {
        "ratio": float(middle), "ratio_low": float(low), "ratio_high": float(high),
        "ratio_median": float(np.median(ratios)), "rounds": len(ratios),
    }  # fmt: skip
