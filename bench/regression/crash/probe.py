"""A sampler that is told from outside how to misbehave. `Campaign` copies this file and makes it a plug-in of its runs.

It records every batch that it samples, from which the campaign knows what has been measured twice.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from samplerbench.methods import Method, get, register

PACE_S = 0.12  # added to every batch, so that kills fall into the sweep and blocks are long enough to be kept
FOLDER = Path(os.environ["SAMPLERBENCH_CRASH"])  # of the trial


@register("crash_probe")
@dataclass(frozen=True)
class Probe(Method):
    """DDIM, unless a file `armed` in the folder of the trial names a misbehaviour and this number of steps."""

    recipe = "ddpm"

    def steps(self, field, x, times, noise):
        misbehave = None
        if len(x) > 1:  # neither a dry run nor the image that is drawn twice
            with (FOLDER / "sampled.log").open("a", encoding="utf-8") as log:
                log.write(f"{len(times) - 1}\n")
            time.sleep(PACE_S)
            misbehave = _armed(len(times) - 1)
        for state in get("ddim").steps(field, x, times, noise):
            yield misbehave(state) if misbehave else state


def _armed(steps: int) -> Callable[[Tensor], Tensor] | None:
    """What to do in a batch of this number of steps. `NAME STEPS once` holds for the first of them alone."""
    try:
        name, armed_for, times = (FOLDER / "armed").read_text(encoding="utf-8").split()
        if int(armed_for) != steps:
            return None
        if times == "once":
            (FOLDER / "armed").rename(FOLDER / "disarmed")  # of several workers, one succeeds
    except FileNotFoundError:
        return None
    return MISBEHAVIOURS[name]


def _hang(state: Tensor) -> Tensor:
    while True:
        time.sleep(1)


def _not_a_number(state: Tensor) -> Tensor:
    return torch.full_like(state, torch.nan)


def _memory_refused(state: Tensor) -> Tensor:
    return torch.empty(1 << 50, dtype=torch.uint8)  # more than any address space


def _killed_for_memory(state: Tensor) -> Tensor:
    """What the kernel does to the process that has taken the last memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return state


MISBEHAVIOURS: dict[str, Callable[[Tensor], Tensor]] = {
    "hang": _hang,
    "nan": _not_a_number,
    "refused": _memory_refused,
    "killed": _killed_for_memory,
}
