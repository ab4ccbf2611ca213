"""Features and metrics as the tests of single metrics need them."""

import pytest
import torch
from torch import Tensor

from samplerbench.data.dataset import Images
from samplerbench.metrics.base import METRICS, Features
from samplerbench.metrics.extractors import Extractor, Pixels
from samplerbench.metrics.reference import RealFeatures


def _columns_of(spec, real, features, logits=None, labels=None, sizes=()) -> dict[str, float]:
    accumulator = METRICS.get(spec).accumulator(real)
    sizes = [*sizes, len(features) - sum(sizes)]
    others = [[None] * len(sizes) if each is None else each.split(sizes) for each in (logits, labels)]
    for batch in zip(features.split(sizes), *others, strict=True):
        accumulator.update(Features(*batch))
    return accumulator.columns()


def _real_features(reference: Tensor, others: Tensor) -> RealFeatures:
    none = torch.zeros(0)
    return RealFeatures(Images(others, none, reference, none, held_out_reference=True), Pixels(reference.shape[1]))


@pytest.fixture(scope="session")
def columns_of():
    """columns_of(spec, real, features, logits, labels, sizes): the columns of a metric for features (N, D).

    They come in batches of these sizes, and then the rest.
    """
    return _columns_of


@pytest.fixture(scope="session")
def real_features():
    """real_features(reference, others): RealFeatures of given features (N, D), in place of images and an extractor."""
    return _real_features


@pytest.fixture(scope="session")
def real_with_logits(digits) -> RealFeatures:
    return RealFeatures(digits, Extractor("digits-cnn", torch.device("cpu"), logits=True))


@pytest.fixture(scope="session")
def logits(digits, real_with_logits) -> Tensor:
    """Logits of the digits' classifier for training images."""
    return real_with_logits.extractor.extract(digits.train).logits


@pytest.fixture(scope="session")
def noise(digits, real_with_logits) -> Features:
    """Features and logits of as many images of noise as there are training images."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, digits.train.shape, dtype=torch.uint8, generator=generator)
    return real_with_logits.extractor.extract(images)


@pytest.fixture(scope="session")
def grid() -> Tensor:
    """400 points of a square grid, one apart: (400, 2)."""
    return torch.cartesian_prod(torch.arange(20.0), torch.arange(20.0)).double()
