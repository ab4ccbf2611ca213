"""Quality: the reference and the metrics of a sweep, the scores of a cell, and what a row says of them."""

import json
from collections import Counter
from collections.abc import Iterable
from itertools import product
from math import isfinite

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor

from samplerbench.data.datasets import DATASETS, Dataset, digest
from samplerbench.errors import InputError
from samplerbench.metrics.accumulators import Accumulator
from samplerbench.metrics.base import Metric
from samplerbench.metrics.directions import DIRECTIONS
from samplerbench.metrics.features import Extractor, Pixels, RealFeatures
from samplerbench.metrics.image_metrics import METRICS
from samplerbench.networks.backbone import Backbone
from samplerbench.sampling.noise import image_labels
from samplerbench.sweep.plan import Job, Sweep


class Quality:
    """The reference, its features and the metrics of a sweep. Raises InputError if any of them cannot be had."""

    def __init__(self, sweep: Sweep, device: torch.device):
        dataset = DATASETS.get(sweep.dataset)
        metrics = [METRICS.get(spec) for spec in sweep.metrics or dataset.metrics]
        _check_distinct(metrics)
        _check_exact(metrics, dataset)
        self.metrics_named = [str(metric) for metric in metrics]
        self.classes = _asked_classes(metrics, dataset)
        self.needs_teacher = any(metric.teacher for metric in metrics)
        self.images = dataset.load(sweep.data_root, sweep.download)
        logits = any(metric.logits for metric in metrics)
        self.extractor = _extractor(dataset, device, sweep.download, logits)
        self.real = RealFeatures(self.images, self.extractor)
        self.metrics = [(metric, self._real_for(metric, device)) for metric in metrics]
        _check_enough(self.metrics, sweep.samples)
        self.facts = {
            "dataset": sweep.dataset,
            "data": self.images.digest,
            "reference": digest(self.images.reference),
            "reference_images": len(self.images.reference),
            "floor_images": min(sweep.samples, len(self.images.floor)),
            "extractor": dataset.extractor,
            "extractor_digest": self.extractor.digest,
            "features": self.extractor.width,
            "samples": sweep.samples,
            "seeds": list(sweep.seeds),
            "quantisation": "none" if dataset.distribution else "round to uint8",
            "labels": "uniform and independent per image",
        } | self._own_extractors()

    def _real_for(self, metric: Metric, device: torch.device) -> RealFeatures:
        own = metric.extractor(device)
        return RealFeatures(self.images, own) if own else self.real

    def _own_extractors(self) -> dict[str, str]:
        """Name and hash of the extractors that metrics brought along."""
        others = [real.extractor for _, real in self.metrics if real is not self.real]
        return {extractor.name: f"{extractor.width} features {extractor.digest}" for extractor in others}

    def start(self) -> "Scoring":
        """The scoring of a new cell."""
        return Scoring(self.metrics, self.classes)

    def replay(self, job: Job, backbone: Backbone, blocks: Iterable[int]) -> dict[str, list[float]]:
        """The columns for which the sampler itself is run again, one value for each seed block."""
        columns: dict[str, list[float]] = {}
        for block, (metric, real) in product(blocks, self.metrics):
            for name, value in metric.replay(job, backbone, block, real).items():
                columns.setdefault(name, []).append(value)
        return columns

    @staticmethod
    def summarise(scores: dict[str, list[float]]) -> dict[str, float | str]:
        """The columns of a row from the values per seed block: means, and the FID's two-sided 95 % t-interval.

        `scores_per_seed` holds as JSON those that can get worse, {"fid": [2.71, ...], ...}, with six digits.
        """
        row = {name: float(np.mean(values)) for name, values in scores.items()}
        if "kid_se" in scores:
            row["kid_se"] = float(np.linalg.norm(scores["kid_se"]) / len(scores["kid_se"]))
        values = scores.get("fid", [])
        if len(values) > 1:
            half = student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
            row |= {"fid_ci_low": row["fid"] - half, "fid_ci_high": row["fid"] + half}
        per_seed = {
            name: [_rounded(value) for value in values] for name, values in scores.items() if name in DIRECTIONS
        }
        return row | {"scores_per_seed": json.dumps(per_seed)}


class Scoring:
    """The scores of a cell, from batches of images as they come; what was seen of a block goes when the next begins."""

    def __init__(self, metrics: list[tuple[Metric, RealFeatures]], classes: int = 0):
        """classes: how many the images were asked for, where a metric needs their labels."""
        self._metrics, self._classes, self._count = metrics, classes, 0
        self._scores: dict[int, dict[str, float]] = {}
        self._block: int | None = None
        self._current: list[tuple[RealFeatures, Accumulator]] = []

    @torch.inference_mode()
    def add(self, block: int, images: Tensor) -> None:
        """See uint8 images (B, C, H, W) of a seed block. Raises ValueError if the block has been scored before."""
        if block in self._scores:
            raise ValueError(f"Block {block} has been scored: add the batches of a block one after another.")
        if block != self._block:
            self._finish()
            self._block, self._count = block, 0
            self._current = [(real, metric.start(real)) for metric, real in self._metrics]
        seen = {real: real.extractor.see(images) for real in dict.fromkeys(real for real, _ in self._current)}
        labels = self._labels(len(images))
        for real, accumulator in self._current:
            accumulator.update(seen[real]._replace(labels=labels))

    def _labels(self, more: int) -> Tensor | None:
        """What the next images of the block were asked to be."""
        start, self._count = self._count, self._count + more
        return image_labels(self._block, range(start, self._count), self._classes) if self._classes else None

    @torch.inference_mode()
    def columns(self) -> dict[str, list[float]]:
        """Every metric's columns, one value for each seed block; no more batches of the last block may follow."""
        self._finish()
        names = dict.fromkeys(name for scores in self._scores.values() for name in scores)
        return {name: [scores[name] for scores in self._scores.values()] for name in names}

    def _finish(self) -> None:
        if self._block is not None:
            columns = [accumulator.columns() for _, accumulator in self._current]
            self._scores[self._block] = {name: value for part in columns for name, value in part.items()}
        self._block, self._current = None, []


def _asked_classes(metrics: list[Metric], dataset: Dataset) -> int:
    """The number of classes if a metric needs labels, else 0."""
    asking = [metric.name for metric in metrics if metric.labels]
    if asking and not dataset.classified:
        raise InputError(
            f"{asking[0]} needs a classifier of {dataset.name}, and none is shipped: leave it out of --metrics."
        )
    return dataset.classes if asking else 0


def _check_distinct(metrics: list[Metric]) -> None:
    twice = [name for name, count in Counter(metric.name for metric in metrics).items() if count > 1]
    if twice:
        raise InputError(f"--metrics names {twice[0]!r} twice, and a row has room for one: leave one of them out.")


def _check_exact(metrics: list[Metric], dataset: Dataset) -> None:
    for metric in metrics:
        if metric.exact and not dataset.distribution:
            exact = ", ".join(name for name in DATASETS.names() if DATASETS.get(name).distribution)
            raise InputError(f"{metric} needs a data set that is known exactly: choose --dataset {exact}.")
        if metric.logits and dataset.distribution:
            raise InputError(f"{metric} needs a classifier, and {dataset.name} has none: leave it out of --metrics.")


def _extractor(dataset: Dataset, device: torch.device, download: bool, logits: bool) -> Extractor | Pixels:
    if dataset.distribution:
        return Pixels(dataset.channels * dataset.resolution**2)
    return Extractor(dataset.extractor, device, download, logits)


def _check_enough(metrics: list[tuple[Metric, RealFeatures]], samples: int) -> None:
    for metric, real in metrics:
        least = metric.least(real.extractor.width)
        if samples < least:
            raise InputError(
                f"{metric} needs at least {least} images in a seed block, not {samples}: "
                "raise --samples, or leave it out of --metrics."
            )


def _rounded(value: float) -> float | None:
    """To six digits; None, JSON's null, for what is no number."""
    return float(f"{value:.6g}") if isfinite(value) else None
