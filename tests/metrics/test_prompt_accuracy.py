from math import isnan

import pytest
import torch

from samplerbench.data.captions import DIGITS, captions
from samplerbench.metrics.base import METRICS, Features
from samplerbench.metrics.extractors import Extractor
from samplerbench.metrics.reference import RealFeatures
from samplerbench.networks.conditions.base import Asked
from samplerbench.networks.conditions.text import prompted


@pytest.fixture
def real(few):
    return RealFeatures(few.load(), Extractor("mnist-cnn", torch.device("cpu"), logits=True))


def accuracy(real, images, labels, prompts):
    """The columns for images that a classifier takes for `labels`, under these prompts."""
    accumulator = METRICS.get("prompt_accuracy").accumulator(real)
    logits = torch.eye(10, dtype=torch.float64)[labels]
    asked = Asked(prompted(prompts), torch.arange(len(images)))
    accumulator.update(Features(torch.zeros(len(images), 2), logits, images=images, asked=asked))
    return accumulator.columns()


def test_images_satisfy_their_own_captions(real):
    images, labels = real.images.test, real.images.test_labels
    columns = accuracy(real, images, labels, captions(images, labels))
    assert columns["prompt_accuracy"] == columns["prompt_digit"] == columns["prompt_slant"] == 1


def test_every_trait_counts_and_only_the_ones_that_are_asked_for(real):
    images, labels = real.images.test[:40], real.images.test_labels[:40]
    wrong = [DIGITS[(label + index % 2) % 10] for index, label in enumerate(labels.tolist())]
    columns = accuracy(real, images, labels, [f"a {word}" for word in wrong])
    assert columns["prompt_accuracy"] == columns["prompt_digit"] == 0.5
    assert isnan(columns["prompt_stroke"])

    traits = accuracy(real, images, labels, [f"a thin {DIGITS[label]}" for label in labels])
    assert traits["prompt_digit"] == 1
    assert traits["prompt_accuracy"] == traits["prompt_stroke"] < 0.6, "most digits are not thin"


def test_the_floor_is_the_accuracy_of_the_classifier_on_captioned_images(real):
    images, labels = real.images.test, real.images.test_labels
    predicted = real.extractor.extract(images).logits.argmax(1)
    words = zip(captions(images, labels), predicted, labels, strict=True)
    right = [p == label or "digit" in caption for caption, p, label in words]
    columns = accuracy(real, images, labels, captions(images, labels))
    assert columns["prompt_accuracy_floor"] == pytest.approx(sum(map(float, right)) / len(right))


def test_networks_without_prompts_have_none(real):
    accumulator = METRICS.get("prompt_accuracy").accumulator(real)
    accumulator.update(Features(torch.zeros(2, 2), torch.zeros(2, 10), images=real.images.test[:2]))
    assert isnan(accumulator.columns()["prompt_accuracy"])
