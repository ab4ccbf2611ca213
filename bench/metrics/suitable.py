"""Whether metrics fit each other, the data, its reference and the number of images; where not, one sentence."""

from collections import Counter

from samplerbench.data.dataset import DATASETS, Dataset
from samplerbench.data.reference import GivenStatistics
from samplerbench.errors import InputError
from samplerbench.metrics.base import REQUIREMENTS, ImageMetric, Metric
from samplerbench.metrics.reference import RealFeatures

Compared = tuple[ImageMetric, tuple[RealFeatures, ...]]  # a metric, and the real images in the features of its encoders


def check_distinct(metrics: list[Metric]) -> None:
    """Raises InputError for two metrics of one name."""
    twice = [name for name, count in Counter(metric.name for metric in metrics).items() if count > 1]
    if twice:
        raise InputError(f"--metrics names {twice[0]!r} twice, but a row has room for one: leave one of them out.")


def check_requirements(metrics: list[Metric], dataset: Dataset) -> None:
    """Raises InputError for a metric that requires what the data set does not provide."""
    exact = dataset.distribution is not None
    provided = {"teacher"} | ({"exact"} if exact else {"logits"}) | ({"labels"} if dataset.classified else set())
    for metric in metrics:
        for missing in sorted(metric.requires - provided):
            advice = "leave it out of --metrics"
            if missing == "exact":
                known = ", ".join(name for name in DATASETS.complete() if DATASETS.get(name).distribution)
                advice = f"choose --dataset {known}"
            needed = REQUIREMENTS.get(missing, missing)
            raise InputError(f"{metric} needs {needed}, which {dataset.name} does not have: {advice}.")


def check_given(metrics: list[Compared], given: GivenStatistics) -> None:
    """Raises InputError for metrics that a mean and a covariance do not suffice for, or of other features."""
    for metric, real in ((metric, real) for metric, reals in metrics for real in reals):
        if metric.needs_reference_images:
            raise InputError(f"{metric} compares with images, and {given.file} is their mean and covariance alone.")
        if real.extractor.width != len(given.moments.mean):
            raise InputError(
                f"{given.file} describes {len(given.moments.mean)} features, and {metric} has {real.extractor.width} "
                f"({real.extractor.name})."
            )


def check_enough(metrics: list[Compared], samples: int) -> None:
    """Raises InputError for a metric that needs more images in a block, or more held-out real ones."""
    for metric, reals in metrics:
        if metric.needs_floor and len(reals[0].images.floor) < 2:
            raise InputError(
                f"{metric} compares with held-out real images, and there are none beside the reference: leave it out "
                "of --metrics."
            )
        fewest = max(metric.min_samples(real.extractor.width) for real in reals)
        if samples < fewest:
            raise InputError(
                f"{metric} needs at least {fewest} images in a seed block, not {samples}: "
                "raise --samples, or leave it out of --metrics."
            )
