"""Does the gate see what it should, and only that? Known faults are put into a sampler, and `bench compare` judges."""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from tempfile import TemporaryDirectory
from typing import ClassVar

import pandas as pd
import torch
from torch import Tensor

from samplerbench.data.datasets import to_float, to_uint8
from samplerbench.methods import METHODS, Method
from samplerbench.regression.compare import compare
from samplerbench.sampling.measure import Cell, Gauge, measure
from samplerbench.store.run_directory import empty_frame, typed
from samplerbench.sweep.plan import Sweep
from samplerbench.sweep.session import Session

SWEEP = {"methods": ["ddim"], "steps": [5], "samples": 250, "batch_size": 250}
BLOCKS = 16  # seed blocks of a trial; no two trials share one
CALIBRATION = range(4000, 4008)  # seed blocks on which a FID 10 % higher is tuned
SLOWER = 0.2
WORSE = 0.1


@dataclass(frozen=True)
class Faulty(Method, ABC):
    """A sampler with a fault, which goes by the sampler's own name.

    silent: whether the gate should stay silent. timed: whether the fault is one of speed.
    """

    inner: Method

    silent: ClassVar[bool] = False
    timed: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def options(self) -> str:
        return self.inner.options

    @abstractmethod
    def steps(self, field, x, times, noise): ...


@dataclass(frozen=True)
class Same(Faulty):
    """the same code again"""

    silent = timed = True

    def steps(self, field, x, times, noise):
        yield from self.inner.steps(field, x, times, noise)


@dataclass(frozen=True)
class Noise(Faulty):
    """mere noise: rounding errors of 1e-4 in every step"""

    level: float = 1e-4

    silent = True

    def steps(self, field, x, times, noise):
        for state in self.inner.steps(field, x, times, noise):
            yield state + self.level * noise(state)


@dataclass(frozen=True)
class ExtraEvaluation(Faulty):
    """slower: one extra evaluation"""

    def steps(self, field, x, times, noise):
        field(x, field.path.along(times)[0])
        yield from self.inner.steps(field, x, times, noise)


@dataclass(frozen=True)
class Slower(Faulty):
    """slower: 20 % more time in every step"""

    timed = True

    def steps(self, field, x, times, noise):
        start = time.perf_counter()
        for state in self.inner.steps(field, x, times, noise):
            until = start + (1 + SLOWER) * (time.perf_counter() - start)
            while time.perf_counter() < until:
                pass
            yield state
            start = time.perf_counter()


@dataclass(frozen=True)
class WrongLastStep(Faulty):
    """worse: the last step is left out"""

    def steps(self, field, x, times, noise):
        last = x
        for state in self.inner.steps(field, x, times, noise):
            yield last
            last = state


@dataclass(frozen=True)
class ShuffledGrid(Faulty):
    """worse: two times of the grid are swapped"""

    def steps(self, field, x, times, noise):
        middle = len(times) // 2
        order = [*range(middle), middle + 1, middle, *range(middle + 2, len(times))]
        yield from self.inner.steps(field, x, times[order], noise)


@dataclass(frozen=True)
class WorseImages(Faulty):
    """worse: a little noise in the images, enough for a FID 10 % higher"""

    level: float = 0.0

    def steps(self, field, x, times, noise):
        state = x
        for number, state in enumerate(self.inner.steps(field, x, times, noise), start=2):
            yield state if number < len(times) else state.clamp(-1, 1) + self.level * noise(state)


@dataclass(frozen=True)
class Outcome:
    """How often a fault made the gate fire, and by which figures. silent: whether it should not."""

    fault: str
    silent: bool
    trials: int
    fired: int
    figures: Counter


def selftest(trials: int, device: str = "auto") -> Iterator[list[Outcome]]:
    """Measure a sampler and its faulty versions on the same noise, trial after trial; the outcomes so far."""
    inner = METHODS.get(SWEEP["methods"][0])
    faults: list[Faulty] = []
    fired: dict[str, Counter] = {}
    for trial in range(trials):
        blocks = range(BLOCKS * trial, BLOCKS * (trial + 1))
        with TemporaryDirectory() as folder:
            session = Session(Sweep(**SWEEP, seeds=list(blocks), device=device, output=folder))
            faults = faults or _faults(inner, session)
            before = _measure(session, inner, True)
            for fault in faults:
                figures = _fired(before, _measure(session, fault, fault.timed))
                fired.setdefault(fault.__doc__, Counter()).update([*figures, *["any"] * bool(figures)])
        yield [
            Outcome(fault.__doc__, fault.silent, trial + 1, fired[fault.__doc__]["any"],
                    Counter({name: n for name, n in fired[fault.__doc__].items() if name != "any"}))
            for fault in faults
        ]  # fmt: skip


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a table."""
    head = "| injected | should | fired | by |\n|:--|:--|--:|:--|\n"
    return head + "\n".join(
        f"| {each.fault} | {'stay silent' if each.silent else 'fire'} | {each.fired} of {each.trials} | "
        f"{', '.join(f'{name} {count}' for name, count in each.figures.most_common())} |"
        for each in outcomes
    )


def _faults(inner: Method, session: Session) -> list[Faulty]:
    level = _level_for(WORSE, inner, session)
    plain = [fault(inner) for fault in (Same, Noise, ExtraEvaluation, Slower, WrongLastStep, ShuffledGrid)]
    return [*plain, WorseImages(inner, level)]


def _measure(session: Session, method: Method, timed: bool) -> pd.DataFrame:
    session.sweep = replace(session.sweep, timing=timed)
    row = session.measure(replace(session.jobs[0], method=method), Gauge())
    return typed(pd.DataFrame([row]).reindex(columns=empty_frame().columns))


def _fired(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    return [verdict.field or "failed cell" for verdict in compare(before, after) if verdict.status == "regression"]


def _level_for(rise: float, inner: Method, session: Session) -> float:
    """The standard deviation of the pixel noise that raises the mean FID of some blocks by this share, by bisection."""
    blocks = [_images(session, inner, block) for block in CALIBRATION]
    generator = torch.Generator().manual_seed(0)
    noise = [torch.randn(images.shape, generator=generator) for images in blocks]

    def fid(level: float) -> float:
        damaged = (to_uint8(images + level * z) for images, z in zip(blocks, noise, strict=True))
        return mean(session.quality.real.frechet(session.quality.extractor(images)) for images in damaged)

    low, high, aim = 0.0, 0.5, (1 + rise) * fid(0.0)
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if fid(middle) < aim else (low, middle)
    return high


def _images(session: Session, inner: Method, block: int) -> Tensor:
    """The images (N, C, H, W) of a seed block, in [-1, 1]."""
    job, samples = replace(session.jobs[0], method=inner), session.sweep.samples
    batches = measure(job, session.backbones[job.recipe], Cell(samples), samples, (block,), False, Gauge())
    return torch.cat([to_float(images) for _, images in batches])
