"""MIND against its formula, written out in numpy."""

import numpy as np
import pytest
import torch

from samplerbench.data.dataset import DATASETS
from samplerbench.methods import SpecError
from samplerbench.metrics.base import METRICS
from samplerbench.metrics.mind import directions
from samplerbench.metrics.scoring import Scorer
from samplerbench.sampling.measure import Batch

CPU = torch.device("cpu")


def features(count, seed, width=6):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def at_equal_size(x, y, axes):
    """3 d / (n M) sum_i sum_j |sort(u_i^T X)_j - sort(u_i^T Y)_j|^2, as torch-fidelity's reference has it."""
    x, y, axes = x.numpy(), y.numpy(), axes.numpy()
    sums = [((np.sort(x @ u) - np.sort(y @ u)) ** 2).sum() for u in axes]
    return 3 * x.shape[1] / (len(x) * len(axes)) * np.sum(sums)


def test_at_equal_size_it_is_the_published_formula(columns_of, real_features):
    x, y = features(80, 0), 2 * features(80, 1) + 0.3
    axes = directions(1000, 6)
    torch.testing.assert_close(axes.norm(dim=1), torch.ones(1000, dtype=torch.float64))
    found = columns_of("mind", real_features(y, x[:1]), x)["mind"]
    assert found == pytest.approx(at_equal_size(x, y, axes), rel=1e-9)


def test_at_other_sizes_it_is_the_formula_on_as_many_copies_of_each(columns_of, real_features):
    """Repeating every row changes no quantile function, and 12 copies of 35 rows are as many as 10 of 42."""
    x, y = features(35, 0), 2 * features(42, 1) + 0.3
    expected = at_equal_size(x.repeat(12, 1), y.repeat(10, 1), directions(200, 6))
    for one, other in ((x, y), (y, x)):
        found = columns_of("mind[projections=200]", real_features(other, one[:1]), one)["mind"]
        assert found == pytest.approx(expected, rel=1e-9)


def test_the_order_of_images_does_not_matter_and_the_same_ones_are_at_zero(columns_of, real_features):
    x, y = features(50, 0), features(70, 1)
    shuffled = x[torch.randperm(50, generator=torch.Generator().manual_seed(2))]
    first = columns_of("mind", real_features(y, x), x)
    assert columns_of("mind", real_features(y, x), shuffled)["mind"] == pytest.approx(first["mind"], rel=1e-12)
    assert columns_of("mind", real_features(x, y), shuffled)["mind"] == pytest.approx(0, abs=1e-20)


def test_the_floor_is_the_score_of_as_many_held_out_images(columns_of, real_features):
    x, y, others = features(30, 0), features(40, 1), features(50, 2)
    found = columns_of("mind", real_features(y, others), x)
    assert found["mind_floor"] == columns_of("mind", real_features(y, others), others[:30])["mind"] != found["mind"]


def test_it_is_measured_in_the_features_of_fid_or_of_an_encoder(digits):
    columns = []
    for spec in ("mind", "mind[encoder=digits-cnn]", "mind[encoder=pixels]"):
        scorer = Scorer(DATASETS.get("digits"), [spec, "fd[encoder=pixels]"], 100, (0,), CPU)
        scoring = scorer.start()
        scoring.add(Batch(0, range(100), digits.train[:100], None))
        columns.append((scoring.columns()["mind"], scorer.columns[0].label, scorer.columns[0].extractor))
    (own, _, named), (cnn, heading, _), (pixels, other, _) = columns
    assert own == cnn != pixels
    assert (named, heading, other) == (True, "MIND (digits-cnn)", "MIND (pixels 8x8)")
    with pytest.raises(SpecError, match="Did you mean 'pixels'"):
        METRICS.get("mind[encoder=pixel]")
