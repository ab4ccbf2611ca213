"""Scoring: the reference and the metrics of a sweep, the scores of a cell, and the columns of its row."""

import json
from collections.abc import Iterable, Sequence
from itertools import product
from math import isfinite
from typing import ClassVar

import numpy as np
import torch

from samplerbench.data.dataset import Dataset, Images, digest
from samplerbench.data.files import FileData
from samplerbench.data.reference import PREFIX, read_statistics, replace_reference
from samplerbench.errors import InputError
from samplerbench.methods import Sampler
from samplerbench.metrics.base import (
    METRICS,
    Accumulator,
    FeatureExtractor,
    ImageMetric,
    Metric,
    SamplerMetric,
)
from samplerbench.metrics.column import Column
from samplerbench.metrics.encoders.base import Encoder, prepared
from samplerbench.metrics.extractors import INCEPTION, Extractor, Pixels, UnusedInception, inception_file
from samplerbench.metrics.reference import RealFeatures
from samplerbench.metrics.suitable import Compared, check_distinct, check_enough, check_given, check_requirements
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.breakdown import SOLUTIONS, STATISTICS, Breakdown
from samplerbench.sampling.measure import Batch
from samplerbench.sampling.timing import allocated_mb
from samplerbench.statistics import half_width

INDEPENDENT, BALANCED = "uniform and independent per image", "balanced: image i has class i modulo their number"
WITHOUT_FILES = "fd[encoder=pixels]"  # a metric that needs no download


class Scorer:
    """The reference, its features and the metrics of a sweep.

    memory_mb: what its extractors hold on a GPU.
    """

    def __init__(
        self,
        dataset: Dataset,
        metrics: Sequence[str] | None,
        samples: int,
        seeds: Sequence[int],
        device: torch.device,
        data_root: str | None = None,
        download: bool = False,
        reference: str | None = None,
        balanced: bool = False,
        spent: Breakdown | None = None,
    ):
        """metrics: their specs; None for the data set's default. reference: as in --reference.

        spent: where the time of scoring is booked.

        Raises InputError if any of it is unavailable.
        """
        self.spent, before = spent or Breakdown(), allocated_mb(device)
        specs, self.notes = (metrics, []) if metrics else default_metrics(dataset, download)
        self.metrics = [METRICS.get(spec) for spec in specs]
        check_distinct(self.metrics)
        check_requirements(self.metrics, dataset)
        self.given = read_statistics(reference) if reference and reference.startswith(PREFIX) else None
        self.images = dataset.load(data_root, download)
        if reference and not self.given:
            self.images = replace_reference(self.images, reference, same=reference == str(dataset))
        of_images = [metric for metric in self.metrics if isinstance(metric, ImageMetric)]
        self.of_samplers = [metric for metric in self.metrics if isinstance(metric, SamplerMetric)]
        encoded = self._encoded(of_images, device)
        logits = any("logits" in metric.requires for metric in self.metrics)
        needed = any(not metric.encoded_by for metric in of_images) or any(each.features for each in self.of_samplers)
        self.extractor = _extractor(dataset, device, download, logits, needed)
        self.real = RealFeatures(self.images, self.extractor, self.given, self.spent)
        self.of_images: list[Compared] = [
            (metric, tuple(encoded[encoder] for encoder in metric.encoded_by) or (self.real,)) for metric in of_images
        ]
        check_enough(self.of_images, samples)
        if self.given:
            check_given(self.of_images, self.given)
        self.facts = self._facts(dataset, samples, seeds, balanced)
        self.memory_mb = allocated_mb(device) - before

    @property
    def columns(self) -> list[Column]:
        """The columns of all metrics."""
        reals: dict[Metric, tuple[RealFeatures, ...]] = dict(self.of_images)
        return [column for metric in self.metrics for column in metric.described(*reals.get(metric, (self.real,)))]

    @property
    def specs(self) -> list[str]:
        """The metrics, as they print."""
        return [str(metric) for metric in self.metrics]

    def needs(self, requirement: str) -> str:
        """The name of a metric that requires this, from `REQUIREMENTS`; empty if none does."""
        return next((metric.name for metric in self.metrics if requirement in metric.requires), "")

    def start(self) -> "CellScorer":
        """The scoring of a new cell."""
        return CellScorer(self.of_images, self.spent)

    def evaluate(self, sampler: Sampler, network: LoadedNetwork, blocks: Iterable[int]) -> dict[str, list[float]]:
        """The columns for which the sampler runs again, one value for each seed block."""
        columns: dict[str, list[float]] = {}
        with self.spent.part(SOLUTIONS):
            for block, metric in product(blocks, self.of_samplers):
                for name, value in metric.evaluate(sampler, network, block, self.real).items():
                    columns.setdefault(name, []).append(value)
        return columns

    def _encoded(self, metrics: list[ImageMetric], device: torch.device) -> dict[Encoder, RealFeatures]:
        """The real images in the features of each encoder, which is loaded once for all metrics that name it.

        Raises InputError if one cannot be used on these images.
        """
        channels, height, width = self.images.reference.shape[1:]
        found: dict[Encoder, RealFeatures] = {}
        for metric, encoder in [(each, encoder) for each in metrics for encoder in each.encoded_by]:
            if encoder in found:
                continue
            encoding = prepared(encoder, (channels, height, width), device)
            if self.images.exact and not encoding.exact:
                raise InputError(
                    f"{metric} takes images of 256 levels, and data with a closed form are not quantised: measure fid, "
                    "which is in pixels there."
                )
            found[encoder] = RealFeatures(self.images, encoding, self.given, self.spent)
        return found

    def _facts(self, dataset: Dataset, samples: int, seeds: Sequence[int], balanced: bool) -> dict[str, object]:
        """Everything that must match for two scores to be comparable."""
        facts: dict[str, object] = {
            "dataset": dataset.known_as,
            "data": self.images.digest,
            "reference": self.given.digest if self.given else digest(self.images.reference),
            "reference_images": "given as statistics" if self.given else len(self.images.reference),
            "floor_images": min(samples, len(self.images.floor)),
            "extractor": dataset.extractor,
            "extractor_digest": self.extractor.digest,
            "features": self.extractor.width,
            "samples": samples,
            "seeds": list(seeds),
            "quantisation": "none" if self.images.exact else "round to uint8",
            "labels": BALANCED if balanced else INDEPENDENT,
        }
        return facts | {
            f"encoders of {metric.name}": "; ".join(_described(real.extractor) for real in reals)
            for metric, reals in self.of_images
            if metric.encoded_by
        }


def default_metrics(dataset: Dataset, download: bool) -> tuple[Sequence[str], list[str]]:
    """The metrics measured by default, and what to say of them."""
    if not isinstance(dataset, FileData) or download or inception_file().exists():
        return dataset.metrics, []
    return (WITHOUT_FILES,), [
        f"Without --metrics: {WITHOUT_FILES}, since FID's Inception is not on this machine ({inception_file()})."
    ]


class SpeedOnly:
    """Takes the place of a Scorer where quality is not measured: no metrics, no protocol."""

    facts: ClassVar[dict[str, object] | None] = None
    notes: ClassVar[list[str]] = []
    images: ClassVar[Images | None] = None
    columns: ClassVar[list[Column]] = []
    specs: ClassVar[list[str]] = []
    metrics: ClassVar[list[Metric]] = []
    memory_mb: ClassVar[float] = 0.0

    def needs(self, requirement: str) -> str:
        """No metric requires anything."""
        return ""

    def start(self) -> "CellScorer":
        """A scoring that ignores its batches."""
        return CellScorer([])

    def evaluate(self, sampler: Sampler, network: LoadedNetwork, blocks: Iterable[int]) -> dict[str, list[float]]:
        """No columns."""
        return {}


class CellScorer:
    """The scores of a cell, from batches as they come. The state of a block is dropped when the next one begins."""

    def __init__(self, metrics: list[Compared], spent: Breakdown | None = None):
        self._metrics, self._spent = metrics, spent or Breakdown()
        self._scores: dict[int, dict[str, float]] = {}
        self._block: int | None = None
        self._current: list[tuple[tuple[RealFeatures, ...], Accumulator]] = []

    @torch.inference_mode()
    def add(self, batch: Batch) -> None:
        """Score a batch. Raises ValueError if its block has been finished before."""
        if batch.block in self._scores:
            raise ValueError(f"Block {batch.block} is finished: add the batches of a block one after another.")
        with self._spent.part(STATISTICS):
            self._add(batch)

    def _add(self, batch: Batch) -> None:
        if batch.block != self._block:
            self._finish()
            self._block = batch.block
            self._current = [(reals, metric.accumulator(*reals)) for metric, reals in self._metrics]
        distinct = dict.fromkeys(real for reals, _ in self._current for real in reals)
        labels = None if batch.labels is None else batch.labels.cpu()
        seen = {
            real: real.extract(batch.images)._replace(labels=labels, images=batch.images, asked=batch.asked)
            for real in distinct
        }
        for reals, accumulator in self._current:
            accumulator.update(*(seen[real] for real in reals))

    @torch.inference_mode()
    def columns(self) -> dict[str, list[float]]:
        """Every metric's columns, one value for each seed block; this finishes the last block."""
        with self._spent.part(STATISTICS):
            self._finish()
        names = dict.fromkeys(name for scores in self._scores.values() for name in scores)
        return {name: [scores[name] for scores in self._scores.values()] for name in names}

    def _finish(self) -> None:
        if self._block is not None:
            columns = [accumulator.columns() for _, accumulator in self._current]
            self._scores[self._block] = {name: value for part in columns for name, value in part.items()}
        self._block, self._current = None, []


def summarise(scores: dict[str, list[float]], columns: Sequence[Column]) -> dict[str, float | str]:
    """The columns of a row from the values per seed block: means, and the FID's two-sided 95 % t-interval.

    A standard error is that of the mean. `scores_per_seed` holds the values of every column that has a better
    direction as JSON, {"fid": [2.71, ...], ...}, to six digits.
    """
    if not scores:
        return {}
    row: dict[str, float | str] = {name: float(np.mean(values)) for name, values in scores.items()}
    for error in {column.spread for column in columns} & scores.keys():
        row[error] = float(np.linalg.norm(scores[error]) / len(scores[error]))
    values = scores.get("fid", [])
    if len(values) > 1:
        mean, half = float(np.mean(values)), half_width(values)
        row |= {"fid_ci_low": mean - half, "fid_ci_high": mean + half}
    directed = {column.name for column in columns if column.better}
    per_seed = {name: [_rounded(value) for value in values] for name, values in scores.items() if name in directed}
    return row | {"scores_per_seed": json.dumps(per_seed)}


def _extractor(dataset: Dataset, device: torch.device, download: bool, logits: bool, needed: bool) -> FeatureExtractor:
    """The data set's extractor. needed: whether any metric uses its features; if not, Inception needs no weights."""
    if dataset.distribution:
        return Pixels(dataset.channels * dataset.resolution**2)
    if dataset.extractor == INCEPTION and not needed:
        return UnusedInception()
    return Extractor(dataset.extractor, device, download, logits)


def _described(extractor: FeatureExtractor) -> str:
    return f"{extractor.name}: {extractor.width} features {extractor.digest}"


def _rounded(value: float) -> float | None:
    """To six digits; None, JSON's null, for NaN and infinity."""
    return float(f"{value:.6g}") if isfinite(value) else None
