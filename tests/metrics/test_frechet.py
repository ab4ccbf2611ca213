"""Streaming statistics and the Frechet distance, against numpy, scipy and torch-fidelity."""

import pickle

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from samplerbench.metrics.frechet import Reference, Statistics


def features(count, width, seed=0, offset=0.0):
    """Correlated features (N, D) with a decaying spectrum, as networks have."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    mixing *= torch.arange(1, width + 1)[:, None] ** -0.7
    return torch.randn(count, width, generator=generator, dtype=torch.float64) @ mixing + offset


def ours(a, b):
    return Reference(Statistics.of(b)).distance(Statistics.of(a))


def theirs(a, b):
    statistics = (fid_features_to_statistics(x) for x in (a, b))
    return fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]


@settings(max_examples=25)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.sampled_from([0.0, 1e4]))
def test_statistics_are_those_of_all_features_at_once_whatever_the_batches(sizes, offset):
    x = features(sum(sizes) + 2, 7, offset=offset)
    statistics = Statistics(7)
    for batch in x.split([*sizes, 2]):
        statistics.update(batch)
    assert statistics.count == len(x)
    np.testing.assert_allclose(statistics.mean, x.numpy().mean(0), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(statistics.covariance, np.cov(x.numpy().T), rtol=1e-9, atol=1e-9)


def test_a_mean_far_from_zero_costs_no_digits():
    """With sums of squares, an offset of 1e4 would leave eight digits of a variance of one, and 1e7 only two."""
    x = features(3000, 5)
    near, far = Statistics.of(x), Statistics(5)
    for batch in (x + 1e7).split(100):
        far.update(batch)
    torch.testing.assert_close(far.covariance, near.covariance, rtol=1e-8, atol=1e-9)


def test_merged_statistics_are_those_of_both_parts():
    x = features(500, 7, offset=100.0)
    merged = Statistics(7)
    for part in (x[:0], x[:1], x[1:180], x[180:]):
        merged.merge(Statistics.of(part))
    whole = Statistics.of(x)
    assert merged.count == 500
    torch.testing.assert_close(merged.mean, whole.mean, rtol=1e-14, atol=0)
    torch.testing.assert_close(merged.covariance, whole.covariance, rtol=1e-12, atol=1e-12)


def test_half_precision_features_are_summed_in_double():
    x = features(4000, 5).half() + 100
    np.testing.assert_allclose(Statistics.of(x).covariance, np.cov(x.double().numpy().T), rtol=1e-10)


def test_one_feature_has_no_covariance():
    with pytest.raises(ValueError, match="at least two features, not 1"):
        _ = Statistics.of(features(1, 3)).covariance


def test_memory_does_not_grow_with_the_number_of_features():
    statistics = Statistics(32)
    sizes = []
    for seed in range(20):
        statistics.update(features(200, 32, seed))
        sizes.append(len(pickle.dumps(vars(statistics))))  # all that it holds
    assert max(sizes) - sizes[0] < 100, "a batch has 51,200 bytes"


@pytest.mark.parametrize("width", [3, 64])
def test_the_distance_is_that_of_an_independent_implementation(width):
    a, b = features(900, width).numpy(), features(700, width, seed=1, offset=0.2).numpy()
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert ours(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(expected, rel=1e-6)


def test_the_cached_root_keeps_agreeing_with_torch_fidelity():
    b = features(2000, 128, seed=1)
    reference = Reference(Statistics.of(b))
    for seed, offset in ((2, 0.0), (3, 0.5), (1, 0.0)):
        a = features(1500, 128, seed, offset)
        assert reference.distance(Statistics.of(a)) == pytest.approx(theirs(a, b), rel=1e-6)


@pytest.mark.parametrize(("ours_of", "reference_of"), [(20, 400), (400, 20), (20, 30)])
def test_fewer_features_than_dimensions_agree_with_torch_fidelity(ours_of, reference_of):
    """Its eigenvalues that should be zero are rounding noise, whose roots are the difference: hence 1e-5."""
    a, b = features(ours_of, 64), features(reference_of, 64, seed=1)
    assert ours(a, b) == pytest.approx(theirs(a, b), rel=1e-5)


def test_degenerate_features_have_a_distance():
    point = torch.ones(5, 4, dtype=torch.float64)
    assert ours(point, point) == 0
    assert ours(point + 1, point) == pytest.approx(4)
    x = features(100, 4)
    assert ours(x, point) == pytest.approx((x.mean(0) - 1).square().sum().item() + torch.cov(x.T).trace().item())


def test_the_distance_of_features_to_themselves_is_zero():
    x = features(500, 64)
    assert ours(x, x) == pytest.approx(0, abs=1e-9 * torch.cov(x.T).trace().item())


def test_the_distance_of_known_gaussians():
    """|m|^2 + sum (s1 - s2)^2 for independent components: 1 + 3 * 0.25, here from two points a component."""
    spread = torch.cat((torch.eye(3), -torch.eye(3))).double() * (5 / 2) ** 0.5  # covariance: the unit matrix
    moved = spread * 1.5 + torch.tensor([1.0, 0, 0])
    assert ours(moved, spread) == pytest.approx(1.75, rel=1e-12)
