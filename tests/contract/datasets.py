"""What every data set keeps. Each check takes a data set and raises AssertionError with the reason."""

from collections.abc import Callable, Iterator
from functools import cache
from unittest import SkipTest

import torch
from torch import Tensor

from samplerbench.data.dataset import DATASETS, Dataset, Images
from samplerbench.data.distributions import Distribution
from samplerbench.errors import InputError
from samplerbench.methods import VP, SpecError
from samplerbench.metrics.base import METRICS
from samplerbench.models import PRESETS
from samplerbench.testing.exact import normal
from samplerbench.testing.runs import random_state
from samplerbench.testing.variants import Variant, docstring

TRIED = 500  # images


def checks(variant: Variant) -> Iterator[Callable[[Dataset], None]]:
    """The checks that apply to a variant of a data set."""
    yield from (prints_and_parses, describes_itself, loads_the_images_it_declares, labels_every_image)
    yield from (keeps_the_reference_apart, loads_the_same_again)
    if variant.plugin.distribution is not None:
        yield from (draws_from_its_distribution, predicts_optimally)


def prints_and_parses(dataset: Dataset) -> None:
    """`DATASETS.get(str(dataset))` is the data set."""
    assert DATASETS.get(str(dataset)) == dataset, f"{dataset!r} prints as {str(dataset)!r}, which is another data set"


def describes_itself(dataset: Dataset) -> None:
    """It has a docstring, and its U-Net preset and its metrics exist and fit."""
    assert docstring(dataset), f"{dataset} needs a docstring: `bench list` prints it"
    for metric in dataset.metrics:
        _assert_exists(metric)
    if dataset.distribution is None:
        assert dataset.preset in PRESETS, f"{dataset}: no preset is named {dataset.preset!r}: {', '.join(PRESETS)}"
        unet = PRESETS[dataset.preset]
        assert (unet.resolution, unet.image_channels) == (dataset.resolution, dataset.channels), (
            f"{dataset} has images of {dataset.channels} x {dataset.resolution}^2, but its preset {dataset.preset} is "
            f"for {unet.image_channels} x {unet.resolution}^2"
        )


def loads_the_images_it_declares(dataset: Dataset) -> None:
    """uint8 images (N, C, H, W) of the declared channels and resolution; float64 with a closed form, not quantised."""
    images, dtype = _loaded(dataset), torch.float64 if dataset.distribution else torch.uint8
    for name, split in (("train", images.train), ("test", images.test)):
        expected = (dataset.channels, dataset.resolution, dataset.resolution)
        assert split.shape[1:] == expected, f"{dataset}.{name} has images of {tuple(split.shape[1:])}, not {expected}"
        assert split.dtype == dtype, f"{dataset}.{name} is {split.dtype}, not {dtype}"
        assert len(split) > 1, f"{dataset}.{name} has {len(split)} images"
        assert split[:TRIED].double().std() > 0, f"{dataset}.{name} is blank"
    assert images.exact == (dataset.distribution is not None), (
        f"{dataset} must give both a distribution and Images.moments, or neither"
    )


def labels_every_image(dataset: Dataset) -> None:
    """One int64 label an image, from 0 to `classes` - 1, and every class occurs in training."""
    images = _loaded(dataset)
    for name, split, labels in (
        ("train", images.train, images.train_labels),
        ("test", images.test, images.test_labels),
    ):
        assert labels.shape == (len(split),), f"{dataset}.{name} has labels of shape {tuple(labels.shape)}"
        assert labels.dtype == torch.int64, f"{dataset}.{name} has labels in {labels.dtype}, not int64"
        if dataset.classes:
            low, high = labels.min().item(), labels.max().item()
            assert 0 <= low <= high < dataset.classes, f"{dataset}.{name} has labels from {low} to {high}"
    if dataset.classes:
        assert len(images.train_labels.unique()) == dataset.classes, f"{dataset} has classes without training images"


def keeps_the_reference_apart(dataset: Dataset) -> None:
    """The floor is scored on images outside the reference, but for the odd duplicate."""
    images = _loaded(dataset)
    if images.exact:
        # A finite distribution repeats its images: then the two splits are independent draws.
        count = min(len(images.floor), len(images.reference))
        shared = (images.floor[:count] == images.reference[:count]).flatten(1).all(1).double().mean().item()
    else:
        reference = {image.numpy().tobytes() for image in images.reference}
        shared = sum(image.numpy().tobytes() in reference for image in images.floor) / len(images.floor)
    assert shared < 0.01, f"{dataset}: {shared:.0%} of the images for the floor are in the reference too"


def loads_the_same_again(dataset: Dataset) -> None:
    """Another load gives the same images, labels and digest, and no global generator is used."""
    images, before = _loaded(dataset), random_state()
    again = dataset.load()
    assert random_state() == before, f"{dataset}.load draws from a global generator: seed one of its own"
    for name in ("train", "train_labels", "test", "test_labels"):
        assert torch.equal(getattr(images, name), getattr(again, name)), f"{dataset}.{name} differs from load to load"
    assert images.digest == again.digest, f"{dataset} has another digest at every load"


def draws_from_its_distribution(dataset: Dataset) -> None:
    """Images have the mean and the covariance that the distribution declares, up to sampling error."""
    flat = _loaded(dataset).reference.flatten(1)
    mean, covariance = _distribution(dataset).moments
    scale = covariance.trace() / len(flat)  # the expected squared error of the mean
    error = ((flat.mean(0) - mean).norm() / scale.sqrt()).item()
    assert error < 4, f"{dataset}: the images' mean is {error:.0f} standard errors from the declared one"
    scale = (covariance.trace() ** 2 + covariance.square().sum()) / len(flat)  # of a Gaussian's covariance
    error = ((torch.cov(flat.T) - covariance).norm() / scale.sqrt()).item()
    assert error < 4, f"{dataset}: the images' covariance is {error:.0f} standard errors from the declared one"


def predicts_optimally(dataset: Dataset) -> None:
    """E[x0 | x] and E[eps | x] mix to x, and their errors are uncorrelated with x, as those of no other prediction."""
    distribution, generator = _distribution(dataset), torch.Generator().manual_seed(0)
    x0 = distribution.draw(4 * TRIED, generator)
    for t in (0.2, 0.5, 0.8):
        (now,) = VP().along(torch.tensor([t], dtype=torch.float64))
        alpha, sigma = (torch.full((len(x0), 1), value, dtype=torch.float64) for value in (now.alpha, now.sigma))
        x = alpha * x0 + sigma * normal(*x0.shape, seed=1)
        predicted, eps = distribution.posterior(x, alpha, sigma)
        mixed = (alpha * predicted + sigma * eps - x).abs().max()
        assert mixed < 1e-6, f"{dataset}: alpha E[x0 | x] + sigma E[eps | x] is not x at t = {t} (by {mixed:.1g})"
        products = (x0 - predicted) * x
        error = _standard_errors(products)
        assert error < 5, f"{dataset}: E[x0 | x] is not optimal at t = {t}: its error correlates with x"


def _standard_errors(values: Tensor) -> float:
    """By how many standard errors the mean of values (N, D) differs from 0, at most."""
    return (values.mean(0).abs() / (values.std(0) + 1e-9)).max().item() * len(values) ** 0.5


def _distribution(dataset: Dataset) -> Distribution:
    assert dataset.distribution is not None
    return dataset.distribution


def _assert_exists(metric: str) -> None:
    try:
        METRICS.get(metric)
    except SpecError as error:
        raise AssertionError(str(error)) from error


@cache
def _loaded(dataset: Dataset) -> Images:
    try:
        return dataset.load()
    except InputError as error:
        raise SkipTest(str(error)) from error
