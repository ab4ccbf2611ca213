"""The seconds behind a plan: of an evaluation, of scoring, of starting a process. Measured here, or read from a run."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samplerbench.errors import InputError
from samplerbench.methods import Sampler
from samplerbench.metrics.forecast import ScoringPace, scoring_pace
from samplerbench.metrics.scoring import Scorer
from samplerbench.networks.closed_form import one_thread
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.breakdown import (
    DECODER,
    FEATURES,
    LOADING,
    NETWORK,
    NOISE,
    SAMPLER,
    START_UP,
    STATISTICS,
)
from samplerbench.sampling.forecast import Pace, pace_of
from samplerbench.store.sessions import read_facts, sessions
from samplerbench.store.stored_rows import read_results
from samplerbench.sweep.command import relative
from samplerbench.sweep.normalise import is_exact
from samplerbench.sweep.session import Session

STARTING = (START_UP, LOADING)
SAMPLING = (NETWORK, SAMPLER, NOISE, DECODER)


class Rates(ABC):
    """Where the seconds of a plan come from."""

    @abstractmethod
    def pace(self, sampler: Sampler, network: LoadedNetwork, size: int) -> Pace:
        """The seconds of an evaluation of `size` images. Raises whatever the network or the device raises."""

    @abstractmethod
    def scoring(self, session: Session) -> ScoringPace:
        """The seconds of scoring."""

    @abstractmethod
    def start_up(self, session: Session) -> float:
        """The seconds until a new process has loaded the networks, the data and the encoders."""

    @abstractmethod
    def source(self, session: Session) -> str:
        """Where they come from, and what hardware they are of."""


class MeasuredHere(Rates):
    """Timed on the device of the session, in a few seconds for each network."""

    def pace(self, sampler: Sampler, network: LoadedNetwork, size: int) -> Pace:
        """Of a few forwards, or of short sampling runs on exact data."""
        with one_thread() if network.exact else nullcontext():
            return pace_of(sampler, network, size)

    def scoring(self, session: Session) -> ScoringPace:
        """Of a batch of noise."""
        prepared = session.prepared
        scorer = prepared.scorer
        return scoring_pace(scorer, prepared.samples) if isinstance(scorer, Scorer) else ScoringPace()

    def start_up(self, session: Session) -> float:
        """Of this process."""
        return _total(session.spent.read(), STARTING)

    def source(self, session: Session) -> str:
        """This device, as run.json names it."""
        return f"measured here, on {_hardware(session.prepared.environment, session.prepared.batch_size)}"


@dataclass(frozen=True)
class Recorded(Rates):
    """Those of a run directory.

    by_network: seconds of an evaluation of one image, by recipe or model. mean: of any other network, such as a
    teacher. score, loading: what `scoring` and `start_up` return.
    """

    folder: Path
    hardware: str
    by_network: Mapping[str, float]
    mean: float
    score: ScoringPace
    loading: float

    def pace(self, sampler: Sampler, network: LoadedNetwork, size: int) -> Pace:
        """Of the rows of this network, the work of their samplers included; a batch takes its size times as long."""
        seconds = self.by_network.get(relative(network.name), self.mean)
        return Pace(size, size * seconds, seconds, once=0.0, memory_mb=None)

    def scoring(self, session: Session) -> ScoringPace:
        """Of the metrics of the run."""
        return self.score

    def start_up(self, session: Session) -> float:
        """The mean of its sessions."""
        return self.loading

    def source(self, session: Session) -> str:
        """The run and its device."""
        return f"recorded in {self.folder}, on {self.hardware}"


def recorded(folder: Path, session: Session) -> Recorded:
    """The rates of a run, for the pending cells of a session.

    Raises InputError if it is no run, does not record its times, or does not have the networks of these cells.
    """
    sweep = session.prepared.sweep
    if is_exact(sweep):
        raise InputError(f"--rate has the seconds of networks, and {sweep.dataset} has a closed form: leave it out.")
    dataset, compiled = relative(sweep.dataset or ""), str(sweep.compile).lower()
    rates = read_rates(folder, {"dataset": dataset, "dtype": sweep.dtype, "compiled": compiled})
    pending = [job for job in session.pending if not (job.skip or job.fault)]
    unknown = sorted({relative(job.recipe) for job in pending} - rates.by_network.keys())
    if unknown:
        raise InputError(
            f"--rate {str(folder)!r} does not have the network {unknown[0]!r}: give a run that has it, such as a short "
            "one of this sweep."
        )
    return rates


def read_rates(folder: Path, kind: Mapping[str, str] | None = None) -> Recorded:
    """The rates of a run. kind: the values that columns must have in the rows that count.

    Raises InputError if it is no run, does not record its times, or has no such rows.
    """
    facts = read_facts(folder)
    if "runs" in facts:
        raise InputError(
            f"--rate {str(folder)!r} is a report of several runs, which may be of several machines: give one of them."
        )
    rows = read_results(folder)
    rows = rows[(rows["status"] == "ok") & (rows["nfe"] > 0) & rows["samples"].notna()]
    spent = [session.get("seconds") for session in sessions(facts)]
    if not len(rows) or not all(spent):
        raise InputError(
            f"--rate {str(folder)!r} does not record where its time went: give a run of this version that measures "
            "quality and has finished."
        )
    every: Counter[str] = Counter()
    blocks = _blocks(rows)
    for seconds in spent:
        every.update(seconds)
    images = float((rows["samples"] * blocks).sum())
    score, loading = _scoring(every, facts, images, int(blocks.sum())), _total(every, STARTING) / len(spent)
    by_network, mean = _evaluations(_of_kind(folder, rows, kind or {}), every, rows)
    hardware = _hardware(facts["environment"], int(rows["batch_size"].max()))
    return Recorded(folder, hardware, by_network, mean, score, loading)


def _of_kind(folder: Path, rows: pd.DataFrame, kind: Mapping[str, str]) -> pd.DataFrame:
    for column, value in kind.items():
        found = rows[rows[column] == value]
        if not len(found):
            raise InputError(
                f"--rate {str(folder)!r} has {column} {rows[column].iloc[0]}, and this sweep has {value}: give a run "
                "like it."
            )
        rows = found
    return rows


def _evaluations(rows: pd.DataFrame, spent: Mapping[str, float], all_rows: pd.DataFrame) -> tuple[dict, float]:
    """The seconds of an evaluation of one image, by network and of all: of timed rows, or else of the whole run."""
    timed = rows[rows["latency_s"].notna()]
    if len(timed):
        each = timed["latency_s"] / (timed["nfe"] * timed["batch_size"])
        return each.groupby(timed["recipe"]).median().to_dict(), float(each.median())
    batches = np.ceil(all_rows["samples"].astype("float64") / all_rows["batch_size"].astype("float64"))
    evaluations = all_rows["nfe"] * batches * all_rows["batch_size"] * _blocks(all_rows)
    mean = _total(spent, SAMPLING) / float(evaluations.sum())
    return dict.fromkeys(rows["recipe"], mean), mean


def _scoring(spent: Mapping[str, float], facts: Mapping[str, Any], images: float, blocks: int) -> ScoringPace:
    """Real images pass through the encoders too, once. All distances are booked to the blocks."""
    counts = [(facts["quality"] or {}).get(name) for name in ("reference_images", "floor_images")]
    real = sum(count for count in counts if isinstance(count, int))
    each = spent.get(FEATURES, 0.0) / (images + real)
    return ScoringPace(each, spent.get(STATISTICS, 0.0) / blocks, each * real)


def _blocks(rows: pd.DataFrame) -> pd.Series:
    """The number of seed blocks of each row."""
    return rows["seeds"].str.count(",") + 1


def _total(seconds: Mapping[str, float], parts: Iterable[str]) -> float:
    return sum(seconds.get(part, 0.0) for part in parts)


def _hardware(environment: Mapping[str, Any], batch_size: int) -> str:
    threads, device = environment["threads"], environment["device"]
    used = f" with {threads} thread{'s' * (threads != 1)}" if device.startswith("cpu") else ""
    return f"{device}{used}, {batch_size} images at a time"
