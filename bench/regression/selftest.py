"""A test of the gate itself: `bench compare` on a sampler with known faults, and on one without."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from torch import Tensor

from samplerbench.data.dataset import to_float, to_uint8
from samplerbench.methods import METHODS, Method
from samplerbench.metrics.scoring import Scorer
from samplerbench.regression.compare import compare
from samplerbench.regression.faults import (
    ExtraEvaluation,
    Faulty,
    RoundingNoise,
    Same,
    ShuffledGrid,
    Slower,
    WorseImages,
    WrongLastStep,
)
from samplerbench.sampling.measure import Measurement, measure
from samplerbench.store.columns import NAMES, typed
from samplerbench.store.run_directory import RunDirectory
from samplerbench.sweep.engine.serial import measure_cell
from samplerbench.sweep.options import Sweep
from samplerbench.sweep.prepare import Prepared, prepare

METHOD = "ddim"
WORSE = 0.1  # by how much `WorseImages` raises FID


@dataclass(frozen=True)
class Size:
    """The size of a trial.

    blocks: seed blocks of a trial; no two trials share one. samples: images per block.
    calibration: the seed blocks on which `WorseImages` is tuned.
    """

    steps: int = 5
    samples: int = 250
    blocks: int = 16
    calibration: Sequence[int] = range(4000, 4032)  # on 8, FID rose by 7 to 8 % instead of 10


@dataclass(frozen=True)
class Outcome:
    """How often the gate fired on a fault, and by which fields. silent: whether it should not have."""

    fault: str
    silent: bool
    trials: int = 0
    fired: int = 0
    fields: Counter = field(default_factory=Counter)

    def after(self, fields: Sequence[str]) -> "Outcome":
        """The outcome after another trial, in which the gate fired by these fields."""
        return replace(
            self, trials=self.trials + 1, fired=self.fired + bool(fields), fields=self.fields + Counter(fields)
        )


def selftest(trials: int, device: str = "auto", size: Size = Size()) -> Iterator[list[Outcome]]:
    """Measure a sampler and its faulty versions on the same noise, trial after trial; yields the outcomes so far."""
    inner = METHODS.get(METHOD)
    faults: list[Faulty] = []
    outcomes: list[Outcome] = []
    for trial in range(trials):
        seeds = range(size.blocks * trial, size.blocks * (trial + 1))
        sweep = Sweep(METHOD, size.steps, samples=size.samples, seeds=seeds, batch_size=size.samples, device=device)
        prepared = prepare(sweep)
        if not faults:
            faults = _faults(inner, _level_for(WORSE, prepared, size.calibration))
            outcomes = [Outcome(fault.description, fault.silent) for fault in faults]
        before = _measure(prepared, inner, timed=True)
        outcomes = [
            outcome.after(_fired(before, _measure(prepared, fault, fault.timed)))
            for outcome, fault in zip(outcomes, faults, strict=True)
        ]
        yield outcomes


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a table."""
    head = "| injected | should | fired | by |\n|:--|:--|--:|:--|\n"
    return head + "\n".join(
        f"| {each.fault} | {'stay silent' if each.silent else 'fire'} | {each.fired} of {each.trials} | "
        f"{', '.join(f'{name} {count}' for name, count in each.fields.most_common())} |"
        for each in outcomes
    )


def _faults(inner: Method, level: float) -> list[Faulty]:
    plain = (Same, RoundingNoise, ExtraEvaluation, Slower, WrongLastStep, ShuffledGrid)
    return [*(fault(inner) for fault in plain), WorseImages(inner, level)]


def _measure(prepared: Prepared, method: Method, timed: bool) -> pd.DataFrame:
    """The row of a method in the place of the sweep's own; nothing is left on disk."""
    prepared = replace(prepared, sweep=replace(prepared.sweep, timing=timed))
    job = replace(prepared.jobs[0], sampler=replace(prepared.jobs[0].sampler, method=method))
    with TemporaryDirectory() as folder:
        row, _ = measure_cell(job, prepared, RunDirectory(Path(folder)), Measurement(prepared.batch_size))
    return typed(pd.DataFrame([row]).reindex(columns=[*dict.fromkeys([*NAMES, *row])]))


def _fired(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    return [verdict.field or "failed cell" for verdict in compare(before, after) if verdict.status == "regression"]


def _level_for(rise: float, prepared: Prepared, blocks: Sequence[int]) -> float:
    """The standard deviation of the pixel noise that raises the mean FID of these seed blocks by `rise`, bisected."""
    clean, generator = [_images(prepared, block) for block in blocks], torch.Generator().manual_seed(0)
    noise = [torch.randn(images.shape, generator=generator) for images in clean]
    assert isinstance(prepared.scorer, Scorer)
    real = prepared.scorer.real

    def fid(level: float) -> float:
        damaged = (to_uint8(images + level * z) for images, z in zip(clean, noise, strict=True))
        return mean(real.frechet(real.extractor(images)) for images in damaged)

    low, high, target = 0.0, 0.5, (1 + rise) * fid(0.0)
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (middle, high) if fid(middle) < target else (low, middle)
    return high


def _images(prepared: Prepared, block: int) -> Tensor:
    """The sampler's images (N, C, H, W) of a seed block, in [-1, 1] and on the CPU."""
    job, samples = prepared.jobs[0], prepared.sweep.samples
    batches = measure(job.sampler, prepared.network(job), Measurement(samples), samples, (block,), timing=False)
    return torch.cat([to_float(batch.images.cpu()) for batch in batches])
