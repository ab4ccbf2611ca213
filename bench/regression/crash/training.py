"""A training that is killed again and again, and must end with the weights of an undisturbed one."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from random import Random

import numpy as np
from safetensors.numpy import load_file

from samplerbench.errors import InputError
from samplerbench.regression.crash.outcome import Outcome, Verdict
from samplerbench.regression.crash.process import Process
from samplerbench.regression.crash.setting import Setting

NAME = "kill -9 of a training"
WEIGHTS = "checkpoints/digits/flow.safetensors"
MISSES = 10  # trainings in a row that may end before their first kill

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Length:
    """Of a training. save_every: seconds between two saves of its state, far less than a kill takes to come."""

    iterations: int = 100
    batch_size: int = 32
    save_every: float = 0.5


def crash_training(setting: Setting, kills: int, rng: Random, length: Length = Length()) -> Iterator[Outcome]:
    """Train until so many kills have struck; yields the outcome after each finished training.

    A training is killed at random moments, uniform over the undisturbed seconds after each start, until a start
    lives long enough to end it. Raises InputError if it fails without any kill.
    """
    began = time.monotonic()
    weights = _undisturbed(setting, length)
    seconds, outcome, misses, number = time.monotonic() - began, Outcome(NAME, kills), 0, 0
    while outcome.trials < kills and misses < MISSES:
        folder, number = setting.folder / f"training-{number}", number + 1
        folder.mkdir()
        struck, verdict = _killed(setting, length, folder, weights, _moments(rng, seconds, kills - outcome.trials))
        outcome, misses = outcome.after(verdict, struck), 0 if struck else misses + 1
        yield outcome


def _moments(rng: Random, seconds: float, kills: int) -> Iterator[float]:
    """How long each start lives: so many are killed, and the next one is left alone."""
    yield from (rng.uniform(0, seconds) for _ in range(kills))
    yield inf


def _killed(
    setting: Setting, length: Length, folder: Path, weights: Weights, moments: Iterator[float]
) -> tuple[int, Verdict]:
    """Start a training again and again until it ends; returns how often it was killed, and what came of it."""
    struck = processes = 0
    for moment in moments:
        with _start(setting, length, folder) as process:
            code = process.wait(moment)
            process.kill()
            processes += process.left()
        if code is not None:
            break
        struck += 1
    problem = f"It ended with {code}: {process.last_line}" if code else ""
    same = not problem and _equal(_weights(folder), weights)
    return struck, Verdict(same, 0, processes, len([*folder.rglob("*.partial")]), problem)


def _undisturbed(setting: Setting, length: Length) -> Weights:
    folder = setting.folder / "training"
    folder.mkdir()
    with _start(setting, length, folder) as process:
        if process.wait():
            raise InputError(f"The training fails without any kill: {process.last_line}")
    return _weights(folder)


def _start(setting: Setting, length: Length, folder: Path) -> Process:
    words = [
        "train", "flow", "--dataset", "digits", "--iterations", str(length.iterations),
        "--batch-size", str(length.batch_size), "--save-every", str(length.save_every),
        "--device", setting.device, "--output", "checkpoints",
    ]  # fmt: skip
    return Process(words, folder, setting.environment(folder), folder / "output.log")


def _weights(folder: Path) -> Weights:
    return load_file(folder / WEIGHTS)


def _equal(weights: Weights, others: Weights) -> bool:
    """Bit for bit."""
    return weights.keys() == others.keys() and all(
        (each.dtype, each.shape, each.tobytes()) == (others[name].dtype, others[name].shape, others[name].tobytes())
        for name, each in weights.items()
    )
