"""Streaming statistics of features and the Frechet distance, compared with numpy and torch-fidelity.

pytest tests/benchmarks/bench_statistics.py
"""

import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

from samplerbench.metrics.frechet import Reference, Statistics

WIDTHS = {"digits-cnn": 64, "inception": 2048}


def gaussian(width: int, seed: int) -> Statistics:
    """Statistics of 3 x width features with a decaying spectrum, not aligned with those of another seed."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    mixing *= torch.arange(1, width + 1)[:, None] ** -0.7
    return Statistics.of(torch.randn(3 * width, width, generator=generator, dtype=torch.float64) @ mixing)


@pytest.fixture(scope="module", params=WIDTHS, ids=str)
def pair(request):
    return gaussian(WIDTHS[request.param], 0), gaussian(WIDTHS[request.param], 1)


@pytest.mark.parametrize("extractor", WIDTHS)
def test_update_by_a_batch_of_256(benchmark, extractor):
    benchmark.group = f"256 x {WIDTHS[extractor]} features"
    statistics, batch = Statistics(WIDTHS[extractor]), torch.randn(256, WIDTHS[extractor])
    benchmark(statistics.update, batch)


@pytest.mark.parametrize("extractor", WIDTHS)
def test_numpy_cov_of_a_batch_of_256(benchmark, extractor):
    benchmark.group = f"256 x {WIDTHS[extractor]} features"
    benchmark(np.cov, torch.randn(256, WIDTHS[extractor]).double().numpy(), rowvar=False)


def test_distance(benchmark, pair):
    """As for every cell but the first, which computes the root."""
    samples, others = pair
    benchmark.group = f"Frechet distance of {len(samples.mean)} features"
    reference = Reference(others)
    reference.distance(samples)
    benchmark.pedantic(reference.distance, (samples,), rounds=3)


def test_distance_with_its_root(benchmark, pair):
    samples, others = pair
    benchmark.group = f"Frechet distance of {len(samples.mean)} features"
    benchmark.pedantic(lambda: Reference(others).distance(samples), rounds=3)


def test_distance_by_torch_fidelity(benchmark, pair):
    samples, others = pair
    benchmark.group = f"Frechet distance of {len(samples.mean)} features"
    ours, theirs = ({"mu": x.mean.numpy(), "sigma": x.covariance.numpy()} for x in pair)
    found = benchmark.pedantic(lambda: fid_statistics_to_metric(ours, theirs, verbose=False), rounds=3)
    assert Reference(others).distance(samples) == pytest.approx(found[KEY_METRIC_FID], rel=1e-6)
