from math import isnan

import pytest
import torch
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

from samplerbench.metrics.base import METRICS
from samplerbench.metrics.scoring import CellScorer
from samplerbench.sampling.measure import Batch
from samplerbench.sampling.noise import image_labels


@pytest.mark.parametrize("splits", [1, 4])
def test_the_inception_score_is_torch_fidelitys(columns_of, logits, splits):
    """Which cuts the images into consecutive parts; ours come in turn."""
    in_turn = torch.cat([logits[start::splits] for start in range(splits)])
    expected = isc_features_to_metric(in_turn, splits=splits, shuffle=False)[KEY_METRIC_ISC_MEAN]
    found = columns_of(f"inception_score[splits={splits}]", None, logits, logits, sizes=(1, 255, 130))
    assert found["inception_score"] == pytest.approx(expected, rel=1e-9)


def test_the_inception_score_lies_between_one_and_the_number_of_classes(columns_of, logits):
    sure = 1e4 * torch.eye(10, dtype=torch.float64).repeat(5, 1)
    assert columns_of("inception_score", None, sure, sure)["inception_score"] == pytest.approx(10)
    unsure = torch.zeros(50, 10)
    assert columns_of("inception_score", None, unsure, unsure)["inception_score"] == pytest.approx(1)
    assert 9 < columns_of("inception_score", None, logits, logits)["inception_score"] < 10


def test_class_accuracy_compares_each_image_with_its_label(real_with_logits, digits):
    labels = image_labels(3, range(300), 10)
    match = torch.stack([(digits.train_labels == label).nonzero()[0, 0] for label in labels])
    scoring = CellScorer([(METRICS.get("class_accuracy"), (real_with_logits,))])
    indices = torch.arange(300).split((100, 1, 199))
    for part in indices:
        scoring.add(Batch(3, part, digits.train[match[part]], labels[part]))
    others = image_labels(4, range(300), 10)  # the labels of another block
    scoring.add(Batch(4, range(300), digits.train[match], others))
    right, wrong = scoring.columns()["class_accuracy"]
    assert right == 1
    assert wrong == pytest.approx((labels == others).double().mean().item(), abs=1e-9)
    assert wrong < 0.2


def test_the_floor_of_class_accuracy_is_the_accuracy_on_held_out_images(columns_of, real_with_logits, digits, logits):
    columns = columns_of("class_accuracy", real_with_logits, logits, logits, digits.train_labels)
    predicted = real_with_logits.extractor.extract(digits.test).logits.argmax(1)
    assert columns["class_accuracy_floor"] == (predicted == digits.test_labels).double().mean().item()
    assert columns["class_accuracy_floor"] > 0.97


def test_images_that_were_asked_for_no_class_do_not_count(columns_of, real_with_logits):
    logits = torch.eye(10, dtype=torch.float64)[[3, 3, 4, 5]]
    columns = columns_of("class_accuracy", real_with_logits, logits, logits, torch.tensor([3, -1, 7, -1]))
    assert columns["class_accuracy"] == 0.5
    none = columns_of("class_accuracy", real_with_logits, logits, logits, torch.full((4,), -1))
    assert isnan(none["class_accuracy"])
