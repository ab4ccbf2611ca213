"""The classifier that ships for a data set, for its features."""

from typing import Any, NamedTuple

import torch

from samplerbench.data.dataset import Dataset
from samplerbench.models import load, shipped


class ShippedClassifier(NamedTuple):
    """A frozen classifier in evaluation mode, which has `features`, and the hash of its weights."""

    net: Any
    digest: str


def shipped_classifier(dataset: Dataset) -> ShippedClassifier | None:
    """That of a data set of images, on the CPU; None where none ships. Raises CheckpointError if it is damaged."""
    file = shipped(dataset.slug, dataset.extractor)
    if not file.exists():
        return None
    checkpoint = load(file)
    with torch.random.fork_rng(devices=[]):  # its initial weights, which are replaced, are random
        return ShippedClassifier(checkpoint.network().requires_grad_(False), checkpoint.digest)
